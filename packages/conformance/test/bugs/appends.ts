import { SessionError } from '@mcp-session/core';
import type { AppendRequest, SessionBackend } from '@mcp-session/core/backend';
import { answersOf } from '../../src/lib/actions.ts';
import { gap, inMemory, inStorage, mangled, type PlantedBug } from './bug.ts';

export const appendBugs: readonly PlantedBug[] = [
  inMemory('events.append.numbers', 'counts each stream for itself', 'first numbers of requests', (right) => {
    const counts = new Map<string, number>();
    return numbered(right, (request) => {
      const stream = `${request.sessionId} ${request.events[0]?.streamId}`;
      const count = counts.get(stream) ?? 0;
      counts.set(stream, count + request.events.length);
      return count + 1;
    });
  }),

  inMemory('events.append.row', 'dates an event by its own clock', 'events of the whole log', (right) => ({
    appendEvents: (batch, now) => right.appendEvents(batch, now + 1),
  })),

  inMemory('events.append.row', 'reads messages as JSON and writes them anew', 'events of the whole log', (right) => ({
    appendEvents: (batch, now) =>
      right.appendEvents(
        edited(batch, (each) => ({ ...each, message: mangled(each.message) })),
        now,
      ),
  })),

  inMemory(
    'events.append.large',
    'refuses what one item of its database cannot hold',
    'a call failed that should succeed',
    (right) => ({
      appendEvents: async (batch, now) => {
        if (batch.some(({ events }) => events.some(({ bytes }) => bytes > 400_000))) {
          throw new SessionError('STORE_FAILED', 'Item is too large');
        }
        return right.appendEvents(batch, now);
      },
    }),
  ),

  inMemory(
    'events.append.order',
    'turns the events of a request around',
    'numbers and messages of a request',
    (right) => ({
      appendEvents: (batch, now) =>
        right.appendEvents(
          batch.map((request) => ({ ...request, events: request.events.toReversed() })),
          now,
        ),
    }),
  ),

  inMemory(
    'events.append.sessions',
    'refuses a batch for one dead session in it',
    'first numbers of a live, an expired',
    (right) => ({
      appendEvents: async (batch, now) => {
        const heads = await right.readHeads(
          batch.map(({ sessionId }) => sessionId),
          now,
        );
        return heads.size < batch.length ? batch.map(() => undefined) : right.appendEvents(batch, now);
      },
    }),
  ),

  inMemory(
    'events.append.sessions',
    'answers in the order of the ids',
    'first numbers of a live, an expired',
    (right) => ({
      appendEvents: (batch, now) =>
        right.appendEvents(
          batch.toSorted((a, b) => (a.sessionId < b.sessionId ? -1 : 1)),
          now,
        ),
    }),
  ),

  inMemory(
    'events.append.batch',
    'writes 25 events of a request and forgets the rest',
    'numbers of one of the sessions',
    (right) => ({
      appendEvents: (batch, now) =>
        right.appendEvents(
          batch.map((request) => ({ ...request, events: request.events.slice(0, 25) })),
          now,
        ),
    }),
  ),

  inMemory('events.append.retained', 'counts what was trimmed as kept', 'was trimmed', (right) => ({
    appendEvents: async (batch, now) => {
      const results = answersOf(await right.appendEvents(batch, now));
      return results.map(
        (result, index) =>
          result && { ...result, retainedEvents: result.firstSeq + (batch[index]?.events.length ?? 0) - 1 },
      );
    },
  })),

  inMemory('events.append.concurrent', 'hands out the number that it read before', 'numbers of one writer', (right) => {
    return {
      appendEvents: async (batch, now) => {
        const heads = await right.readHeads(
          batch.map(({ sessionId }) => sessionId),
          now,
        );
        await gap();
        const results = answersOf(await right.appendEvents(batch, now));
        return results.map((result, index) => {
          const read = heads.get(batch[index]?.sessionId ?? '')?.lastSeq;
          return result && { ...result, firstSeq: (read ?? 0) + 1 };
        });
      },
    };
  }),

  inStorage(
    'events.append.visible',
    'takes numbers from a counter, so that a later one can be committed first',
    'numbers',
    (right) => {
      const hidden = new Set<string>();
      return {
        appendEvents: async (batch, now) => {
          const results = answersOf(await right.appendEvents(batch, now));
          const odd = results.flatMap((result, index) =>
            result !== undefined && result.firstSeq % 2 === 1 ? [`${batch[index]?.sessionId} ${result.firstSeq}`] : [],
          );
          for (const each of odd) hidden.add(each);
          if (odd.length > 0) await new Promise((resolve) => setTimeout(resolve, 3));
          for (const each of odd) hidden.delete(each);
          return results;
        },
        readEvents: async (query, now) => {
          const page = await right.readEvents(query, now);
          return page && { ...page, events: page.events.filter(({ seq }) => !hidden.has(`${query.sessionId} ${seq}`)) };
        },
      };
    },
  ),

  inStorage(
    'events.append.visible',
    'reads the newest number after the events',
    'numbers that a reader saw',
    (right) => ({
      readEvents: async (query, now) => {
        const page = await right.readEvents(query, now);
        await gap();
        const lastSeq = (await right.readSession(query.sessionId, now))?.lastSeq;
        return page && lastSeq !== undefined ? { ...page, lastSeq } : undefined;
      },
    }),
  ),

  inMemory(
    'events.numbers.reuse-never',
    'counts from the events that are kept',
    'number of the event after',
    (right) => {
      return {
        appendEvents: async (batch, now) => {
          const results = answersOf(await right.appendEvents(batch, now));
          return results.map(
            (result, index) =>
              result && { ...result, firstSeq: result.retainedEvents - (batch[index]?.events.length ?? 0) + 1 },
          );
        },
      };
    },
  ),
];

function edited(
  batch: readonly AppendRequest[],
  change: (event: AppendRequest['events'][number]) => AppendRequest['events'][number],
): readonly AppendRequest[] {
  return batch.map((request) => ({ ...request, events: request.events.map(change) }));
}

/** Answers an append with other numbers than it has in the log. */
function numbered(right: SessionBackend, number: (request: AppendRequest) => number): Partial<SessionBackend> {
  return {
    appendEvents: async (batch, now) => {
      const results = answersOf(await right.appendEvents(batch, now));
      return results.map((result, index) => {
        const request = batch[index];
        return result && request && { ...result, firstSeq: number(request) };
      });
    },
  };
}
