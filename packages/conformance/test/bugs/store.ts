import { gap, inHandles, inMemory, type PlantedBug } from './bug.ts';

export const storeBugs: readonly PlantedBug[] = [
  inMemory('store.update.increments', 'lets a stale update win', 'a number that 4 writers incremented', (right) => ({
    commitState: async (commit, now) => {
      await gap();
      const writes = commit.writes.map((write) => ({ ...write, expectedVersion: undefined }));
      return right.commitState({ ...commit, writes }, now);
    },
  })),

  inMemory(
    'store.replay.complete',
    'gives the first page as if it were all',
    'ids of a replay of the whole log',
    (right) => ({
      readEvents: async (query, now) => {
        const page = await right.readEvents(query, now);
        return page && { ...page, more: false };
      },
    }),
  ),

  inMemory(
    'store.replay.trimmed',
    'replays what is left as if it were all',
    'replay after a cursor behind which events were trimmed',
    (right) => ({
      readEvents: async (query, now) => {
        const page = await right.readEvents(query, now);
        return page && { ...page, trimmedSeq: 0 };
      },
    }),
  ),

  inMemory('store.cursor.foreign', 'takes every cursor for one that was trimmed', 'promised: rejected', (right) => ({
    readEvents: async (query, now) => {
      const page = await right.readEvents(query, now);
      const trimmedSeq = Math.max(page?.trimmedSeq ?? 0, query.afterSeq ?? 0);
      return page && { ...page, afterStreamId: undefined, trimmedSeq };
    },
  })),

  inMemory(
    'store.tail.handover',
    'gives the event of the cursor again where a page is the last',
    'numbers that a tail delivered',
    (right) => ({
      readEvents: async (query, now) => {
        const { afterSeq = 0 } = query;
        const page = await right.readEvents(query, now);
        if (page?.more !== false || afterSeq <= 120) return page;
        return right.readEvents({ ...query, afterSeq: afterSeq - 1 }, now);
      },
    }),
  ),

  inHandles(
    'store.tail.elsewhere',
    'shows a poll only what its own process appended',
    'a tail did not deliver what was appended elsewhere',
    (right) => ({
      readHeads: async (ids, now) => {
        const heads = await right.readHeads(ids, now);
        return new Map([...heads].map(([id, head]) => [id, { ...head, lastSeq: 0 }]));
      },
    }),
  ),

  inHandles('store.tail.end', 'shows a poll sessions that were ended', 'a tail did not end', (right) => ({
    readHeads: async (ids, now) => {
      const heads = await right.readHeads(ids, now);
      return new Map(ids.map((id) => [id, heads.get(id) ?? { lastSeq: 0, expiresAt: now + 1 }]));
    },
  })),

  inMemory('store.principal', 'forgets whom a session belongs to', 'get by the principal', (right) => ({
    readSession: async (id, now) => {
      const row = await right.readSession(id, now);
      return row && { ...row, principal: null };
    },
  })),

  inMemory('store.inspect', 'renews a session that is read', 'row of a session that was looked at', (right) => ({
    readState: async (id, keys, now) => {
      await right.touchSession(id, now + 3_600_000, now);
      return right.readState(id, keys, now);
    },
  })),

  inMemory('store.inspect', 'renews the sessions of a listing', 'row of a session that was looked at', (right) => ({
    listSessions: async (query, now) => {
      const page = await right.listSessions(query, now);
      for (const { id } of page.rows) await right.touchSession(id, now + 3_600_000, now);
      return page;
    },
  })),

  inMemory(
    'store.end-all',
    'ends the first page of a listing alone',
    'number of sessions that endAll has ended',
    (right) => ({
      listSessions: async (query, now) => ({
        ...(await right.listSessions(query, now)),
        more: false,
        nextAfterId: undefined,
      }),
    }),
  ),

  inMemory('store.end-all', 'lists the sessions of anyone', 'got:      103', (right) => ({
    listSessions: (query, now) => right.listSessions({ ...query, principal: undefined }, now),
  })),

  inMemory('store.values', 'drops U+0000 from what it stores', 'a value of state', (right) => ({
    commitState: (commit, now) => {
      const writes = commit.writes.map((write) => ({ ...write, value: write.value?.replaceAll('\\u0000', '') }));
      return right.commitState({ ...commit, writes }, now);
    },
  })),

  inMemory('store.event-store', 'replays the events of every stream', 'events that a replay sent', (right) => ({
    readEvents: (query, now) => right.readEvents({ ...query, streamId: undefined }, now),
  })),
];
