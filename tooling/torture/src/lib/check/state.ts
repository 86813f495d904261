import type { Operation } from '../history.ts';
import { bySession, type Check, disorder, type Round } from './round.ts';

/** State: no update is lost, a version has one writer, a commit is seen whole. */
export const checkState: Check = (round) => [
  ...counters(round, 'update', 'counter'),
  ...counters(round, 'updateMetadata', 'metadata'),
  ...comparisons(round),
  ...pairs(round),
  ...ownKeys(round),
];

function counters(round: Round, name: 'update' | 'updateMetadata', what: string): string[] {
  return [...bySession(round.operations, name)].flatMap(([session, calls]) => {
    const done = calls.filter(({ outcome }) => outcome === 'done');
    const values = done.map(({ got }) => Number(got));
    const problems: string[] = [];
    const twice = values.find((value, index) => values.indexOf(value) !== index);
    if (twice !== undefined) problems.push(`two calls got the value ${twice}`);
    for (const { before, after } of disorder(
      done.map(({ id, at, endedAt, got }) => ({ id, at, endedAt, value: Number(got) })),
    )) {
      problems.push(`${after} came after ${before} but did not increase it`);
    }
    const final = round.final.get(session)?.[name === 'update' ? 'update' : 'metadata'];
    const unknown = calls.filter(({ outcome }) => outcome === 'unknown').length;
    if (final !== undefined && (final < done.length || final > done.length + unknown)) {
      problems.push(`it is ${final} after ${done.length} updates and ${unknown} that may have happened`);
    }
    return problems.map((problem) => `${what} of ${session}: ${problem}`);
  });
}

function comparisons({ operations }: Round): string[] {
  return [...bySession(operations, 'compareAndSet')].flatMap(([session, calls]) => {
    const done = calls.filter(({ outcome }) => outcome === 'done');
    const problems: string[] = [];
    for (const [expected, winners] of Map.groupBy(done, ({ given }) => given['expected'])) {
      if (winners.length > 1) {
        problems.push(`${winners.map(({ id }) => id).join(' and ')} both replaced version ${String(expected)}`);
      }
    }
    for (const { id, given, got } of done) {
      if (Number(got) <= Number(given['expected'])) {
        problems.push(`${id} replaced version ${String(given['expected'])} by ${String(got)}`);
      }
    }
    return problems.map((problem) => `compare-and-set in ${session}: ${problem}`);
  });
}

function pairs({ operations }: Round): string[] {
  return operations
    .filter(({ name, outcome }) => name === 'readPair' && outcome === 'done')
    .filter(({ got }) => (got as unknown[])[0] !== (got as unknown[])[1])
    .map(({ id, session, got }) => `${id} read two halves of a commit in ${session}: ${JSON.stringify(got)}`);
}

/**
 * A key that only one worker uses, one call after the other. A write that a killed worker had sent
 * may take effect at any later time.
 */
function ownKeys({ operations }: Round): string[] {
  const calls = operations.filter(({ name }) => name === 'setOwn' || name === 'getOwn' || name === 'removeOwn');
  return [...Map.groupBy(calls, ({ session, given }) => `${String(given['key'])} of ${session}`)].flatMap(
    ([key, own]) => keyOf(own).map((problem) => `${key}: ${problem}`),
  );
}

function keyOf(calls: readonly Operation[]): string[] {
  const problems: string[] = [];
  let current: string | null = null;
  const possible = new Set<string | null>();
  for (const { id, name, outcome, got } of calls) {
    const written = name === 'setOwn' ? id : null;
    if (name === 'getOwn') {
      if (outcome !== 'done' || got === current || possible.has(got as string | null)) continue;
      problems.push(`${id} read ${JSON.stringify(got)}, not ${JSON.stringify(current)}`);
    } else if (outcome === 'unknown') possible.add(written);
    else if (outcome === 'done') current = written;
  }
  return problems;
}
