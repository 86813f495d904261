import type { SessionBackend, TrimBound } from '@mcp-session/core/backend';
import { setTimeout as wait } from 'node:timers/promises';
import { inMemory, inStorage, type PlantedBug } from './bug.ts';
import { paged } from './pages.ts';

/** A backend that trims other events than it is told to. */
function trimmed(change: (bound: TrimBound) => TrimBound) {
  return (right: SessionBackend): Partial<SessionBackend> => ({
    trimEvents: (id, bound, now) => right.trimEvents(id, change(bound), now),
  });
}

const plus = (value: number | undefined, more: number): number | undefined =>
  value === undefined ? undefined : value + more;

export const trimBugs: readonly PlantedBug[] = [
  inMemory(
    'events.trim.count',
    'keeps one event more',
    'to keep 7',
    trimmed((bound) => ({ ...bound, maxEvents: plus(bound.maxEvents, 1) })),
  ),

  inMemory(
    'events.trim.bytes',
    'keeps one byte more',
    'after a trim that keeps 17 bytes',
    trimmed((bound) => ({ ...bound, maxBytes: plus(bound.maxBytes, 1) })),
  ),

  inMemory(
    'events.trim.age',
    'drops what is as old as the bound',
    'of what is older than 0 ms',
    trimmed((bound) => ({ ...bound, createdBefore: plus(bound.createdBefore, 1) })),
  ),

  inMemory(
    'events.trim.through',
    'stops before the number',
    'after a trim through 2 of 5',
    trimmed((bound) => ({ ...bound, throughSeq: plus(bound.throughSeq, -1) })),
  ),

  inMemory(
    'events.trim.any',
    'looks at the first bound alone',
    'number that trimEvents removed by',
    trimmed((bound) =>
      bound.maxEvents === undefined
        ? bound
        : { ...bound, maxBytes: undefined, createdBefore: undefined, throughSeq: undefined },
    ),
  ),

  inMemory(
    'events.trim.limit',
    'trims all in one step',
    'number that a step of at most 4 removed',
    trimmed((bound) => ({ ...bound, limit: 10_000 })),
  ),

  inMemory('events.trim.oldest', 'deletes by date wherever the event is', 'no hole', (right) => {
    let before = 0;
    return {
      trimEvents: async (id, bound, now) => {
        before = bound.createdBefore ?? 0;
        return right.trimEvents(id, { ...bound, createdBefore: undefined }, now);
      },
      readEvents: async (query, now) => {
        const page = await right.readEvents(query, now);
        return page && { ...page, events: page.events.filter((row) => row.createdAt >= before) };
      },
    };
  }),

  inStorage('events.trim.oldest', 'reads the horizon before the events', 'from the horizon to the newest', (right) => ({
    readEvents: async (query, now) => {
      const before = await right.readEvents(query, now);
      await wait(2);
      const page = await right.readEvents(query, now);
      return before && page && { ...page, trimmedSeq: before.trimmedSeq };
    },
  })),

  inMemory(
    'events.trim.horizon',
    'does not say that events were trimmed',
    'trimmedSeq of the log and of the streams',
    paged((page) => ({ ...page, trimmedSeq: 0 })),
  ),

  inMemory(
    'events.trim.quiet',
    'has one horizon for all streams',
    'trimmedSeq and numbers of a quiet stream',
    paged(async (page, query, right, now) => ({
      ...page,
      trimmedSeq: (await right.readEvents({ ...query, streamId: undefined }, now))?.trimmedSeq ?? 0,
    })),
  ),

  inMemory(
    'events.trim.streams',
    'remembers the trims of 1,000 streams and answers 0 for the others',
    'trimmedSeq of the stream whose only event was',
    paged((page) => ({
      ...page,
      trimmedSeq: page.trimmedSeq > page.lastSeq - 1_000 ? page.trimmedSeq : 0,
    })),
  ),
];
