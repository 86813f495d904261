import type { ListedRow, SessionBackend, SessionQuery } from '@mcp-session/core/backend';
import { inHandles, inMemory, type PlantedBug } from './bug.ts';

export const listingBugs: readonly PlantedBug[] = [
  inMemory('sessions.list.filter', 'ignores the principal', 'sessions listed without a principal', (right) => ({
    listSessions: (query, now) => right.listSessions({ ...query, principal: undefined }, now),
  })),

  inMemory(
    'sessions.list.filter',
    'takes "without a principal" for "of anyone"',
    'sessions listed without a principal',
    (right) => ({
      listSessions: (query, now) => right.listSessions({ ...query, principal: query.principal ?? undefined }, now),
    }),
  ),

  inMemory(
    'sessions.list.counts',
    'counts the events that were ever appended',
    'counts of a session after a trim',
    (right) => ({
      listSessions: async (query, now) => {
        const page = await right.listSessions(query, now);
        return {
          ...page,
          rows: page.rows.map((row) => ({ ...row, counts: { ...row.counts, events: row.lastSeq } })),
        };
      },
    }),
  ),

  inMemory('sessions.list.order', 'orders ids as a dictionary does', 'order of a listing', (right) => ({
    listSessions: async (query, now) => {
      const rows = (await all(right, query, now)).toSorted((a, b) => a.id.localeCompare(b.id));
      const from = rows.findIndex((row) => row.id === query.afterId) + 1;
      const page = rows.slice(from, from + query.limit);
      const more = from + query.limit < rows.length;
      return { rows: page, more, nextAfterId: more ? page.at(-1)?.id : undefined };
    },
  })),

  inMemory(
    'sessions.list.pages',
    'gives the first page as if it were all',
    'all sessions, by pages of 100',
    (right) => ({
      listSessions: async (query, now) => ({
        ...(await right.listSessions(query, now)),
        more: false,
        nextAfterId: undefined,
      }),
    }),
  ),

  inMemory(
    'sessions.list.pages',
    'ignores the limit of a page',
    'listSessions with limit 100 gave 1100 rows',
    (right) => ({
      listSessions: (query, now) => right.listSessions({ ...query, limit: 10_000 }, now),
    }),
  ),

  inMemory(
    'sessions.list.changes',
    'finds the next page by its offset',
    'sessions that were live all the while',
    (right) => {
      const offsets = new Map<string, number>();
      return {
        listSessions: async (query, now) => {
          const rows = await all(right, query, now);
          const from = query.afterId === undefined ? 0 : (offsets.get(query.afterId) ?? 0);
          const page = rows.slice(from, from + query.limit);
          const last = page.at(-1)?.id;
          const more = last !== undefined && from + query.limit < rows.length;
          if (more) offsets.set(last, from + query.limit);
          return { rows: page, more, nextAfterId: more ? last : undefined };
        },
      };
    },
  ),

  inMemory(
    'sessions.list.live',
    'lists what has expired and was not swept',
    'sessions listed when one has expired',
    (right) => ({
      listSessions: (query) => right.listSessions(query, 0),
    }),
  ),

  inMemory('sessions.count.exact', 'counts one page of the database', 'countSessions of 300', (right) => ({
    countSessions: async (query, now) => Math.min(200, await right.countSessions(query, now)),
  })),

  inMemory('sessions.count.exact', 'ignores the principal when it counts', 'countSessions of null', (right) => ({
    countSessions: (query, now) => right.countSessions({ ...query, principal: undefined }, now),
  })),

  inMemory('sessions.count.exact', 'counts what has expired', 'countSessions of any principal', (right) => ({
    countSessions: (query) => right.countSessions(query, 0),
  })),

  inMemory('sessions.count.kinds', 'counts kinds of what has expired', 'countKinds of both kinds', (right) => ({
    countKinds: () => right.countKinds(0),
  })),

  inMemory(
    'heads.read',
    'gives heads of sessions that have expired',
    'readHeads of live, expired, ended and unknown sessions',
    (right) => ({
      readHeads: (ids) => right.readHeads(ids, 0),
    }),
  ),

  inMemory(
    'heads.many',
    'reads a hundred heads and forgets the rest',
    'live sessions that are missing from the heads',
    (right) => ({
      readHeads: (ids, now) => right.readHeads(ids.slice(0, 100), now),
    }),
  ),

  inHandles('heads.current', 'reads heads from a replica that lags', 'lastSeq of a head after an append', (right) => {
    let late: Awaited<ReturnType<SessionBackend['readHeads']>> | undefined;
    return {
      readHeads: async (ids, now) => {
        const heads = late ?? (await right.readHeads(ids, now));
        late = await right.readHeads(ids, now);
        return heads;
      },
    };
  }),
];

async function all(
  right: SessionBackend,
  { kind, principal }: SessionQuery,
  now: number,
): Promise<readonly ListedRow[]> {
  const page = await right.listSessions({ kind, principal, afterId: undefined, limit: 100_000 }, now);
  return page.rows;
}
