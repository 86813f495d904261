import type { AppendRequest, AppendResult, SessionBackend } from '@mcp-session/core/backend';
import { randomUUID } from 'node:crypto';
import { answersOf } from '../../src/lib/actions.ts';
import { gap, inHandles, inMemory, type PlantedBug } from './bug.ts';

export const tokenBugs: readonly PlantedBug[] = [
  inMemory('events.token.repeat', 'ignores tokens', 'first number of the request when it came again', (right) => ({
    appendEvents: (batch, now) => right.appendEvents(batch.map(fresh), now),
  })),

  inMemory('events.token.remembered', 'remembers tokens of 100 events', 'when 999 events had followed', (right) =>
    remembering(right, 100),
  ),

  inHandles(
    'events.token.remembered',
    'remembers tokens in each process for itself',
    'when 999 events had followed',
    (right) => remembering(right, 100_000),
  ),

  inMemory('events.token.trimmed', 'finds tokens in the events that it keeps', 'its events were trimmed', (right) => {
    let trims = 0;
    return {
      trimEvents: (id, bound, now) => {
        trims += 1;
        return right.trimEvents(id, bound, now);
      },
      appendEvents: (batch, now) =>
        right.appendEvents(
          batch.map((request) => ({ ...request, token: `${request.token}${trims === 2 ? '2' : ''}` })),
          now,
        ),
    };
  }),

  inMemory(
    'events.token.race',
    'looks for the token first and appends then',
    'first numbers that three calls with one token got',
    (right) => {
      const known = new Map<string, number>();
      return {
        appendEvents: async ([request, ...rest], now) => {
          if (request === undefined || known.has(request.token)) {
            return right.appendEvents(request ? [request, ...rest] : [], now);
          }
          await gap();
          const results = answersOf(await right.appendEvents([fresh(request), ...rest], now));
          known.set(request.token, results[0]?.firstSeq ?? 0);
          return results;
        },
      };
    },
  ),

  inMemory(
    'events.token.session',
    'looks for a token in all sessions',
    'requests with one token in two sessions',
    (right) => {
      const known = new Map<string, number>();
      return {
        appendEvents: async (batch, now) => {
          const token = batch[0]?.token ?? '';
          const firstSeq = known.get(token);
          if (firstSeq !== undefined) return [{ firstSeq, retainedEvents: 0, retainedBytes: 0 }];
          const results = answersOf(await right.appendEvents(batch, now));
          if (results[0] !== undefined) known.set(token, results[0].firstSeq);
          return results;
        },
      };
    },
  ),
];

function fresh(request: AppendRequest): AppendRequest {
  return { ...request, token: randomUUID() };
}

/** Knows the tokens of so many events that this object appended itself, and no others. */
function remembering(right: SessionBackend, count: number): Partial<SessionBackend> {
  const known = new Map<string, AppendResult>();
  let lastSeq = 0;
  return {
    appendEvents: async ([request, ...rest], now) => {
      if (request === undefined) return [];
      const first = known.get(request.token);
      if (first !== undefined && lastSeq - first.firstSeq < count) return [first];
      const results = answersOf(await right.appendEvents([fresh(request), ...rest], now));
      if (results[0] !== undefined) known.set(request.token, results[0]);
      lastSeq = (results[0]?.firstSeq ?? 0) + request.events.length - 1;
      return results;
    },
  };
}
