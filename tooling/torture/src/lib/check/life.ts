import type { Operation } from '../history.ts';
import { bySession, type Check, type Round } from './round.ts';

/** Codes that are a valid answer to any call. */
const ANSWERS: ReadonlySet<string> = new Set(['STATE_CONFLICT', 'PROFILE_CONFLICT', 'EVENTS_TRIMMED']);

/**
 * Sessions: one end, no success after it, nothing for strangers, and no error without a fault.
 */
export const checkLives: Check = (round) => [...ends(round), ...strangers(round), ...errors(round)];

function ends({ operations }: Round): string[] {
  return [...bySession(operations, 'end')].flatMap(([session, calls]) => {
    const done = calls.filter(({ outcome }) => outcome === 'done');
    const winners = done.filter(({ got }) => got === true);
    const problems: string[] = [];
    if (winners.length > 1) problems.push(`${session} was ended by ${winners.map(({ id }) => id).join(' and ')}`);
    // The session had ended before the first of these calls returned, whichever of them ended it.
    const over = Math.min(...done.map(({ endedAt }) => endedAt));
    for (const each of operations) {
      if (each.session === session && each.at > over && succeeded(each)) {
        problems.push(`${each.name} ${each.id} began after the end of ${session} and succeeded`);
      }
    }
    return problems;
  });
}

/**
 * Calls that must fail once a session has ended. Existing handles may still end a `tail` or `touch`
 * without an error.
 */
function succeeded({ name, outcome, got, delivered }: Operation): boolean {
  if (outcome !== 'done') return false;
  switch (name) {
    case 'get':
    case 'end':
      return got === true;
    case 'tail':
      return delivered.length > 0;
    case 'touch':
    case 'getForeign':
      return false;
    default:
      return true;
  }
}

function strangers({ operations }: Round): string[] {
  return operations
    .filter(({ name, got }) => name === 'getForeign' && got === true)
    .map(({ id, session }) => `${id} got ${session}, which belongs to another principal`);
}

function errors({ operations, pools, faults }: Round): string[] {
  const lasting = new Set([...pools.steady, ...pools.trimmed]);
  return operations.flatMap(({ id, name, session, error, retryable, got, outcome }) => {
    if (name === 'get' && outcome === 'done' && got === false && lasting.has(session)) {
      return [`${id} did not find ${session}, which nobody has ended`];
    }
    if (error === undefined || ANSWERS.has(error)) return [];
    if (error === 'SESSION_NOT_FOUND' && !lasting.has(session)) return [];
    // During a fault, the store may report a retryable failure.
    if (error.startsWith('STORE_') && retryable && faults) return [];
    return [`${name} ${id} in ${session || 'the store'} failed: ${error}`];
  });
}
