import type { SessionQuery } from '../contract/rows.ts';
import type { StoreInternals } from './context.ts';

/**
 * Sessions of one page of a listing, whose ends run at the same time in parts of {@link AT_ONCE}.
 */
const PAGE_SESSIONS = 100;
const AT_ONCE = 10;

/** Ends one session, and wakes those who wait for its events. */
export async function endSession(shared: StoreInternals, id: string, keepId: boolean): Promise<boolean> {
  const { backend, options, wakeUps } = shared;
  const now = options.clock();
  // A tombstone must begin after the `now` of this call, which may be ahead of the real time.
  const purgeAt = keepId ? Math.min(now + options.tombstoneMs, Number.MAX_SAFE_INTEGER) : now - options.graceMs;
  const ended = await backend.endSession(id, purgeAt, now);
  wakeUps.ended(id);
  return ended;
}

/** Ends all sessions that a query finds. @returns How many this call has ended. */
export async function endSessions(shared: StoreInternals, query: SessionQuery, keepId: boolean): Promise<number> {
  const { backend, options } = shared;
  let count = 0;
  let afterId: string | undefined;
  do {
    const page = await backend.listSessions({ ...query, afterId, limit: PAGE_SESSIONS }, options.clock());
    for (let from = 0; from < page.rows.length; from += AT_ONCE) {
      const some = page.rows.slice(from, from + AT_ONCE);
      const ended = await Promise.all(some.map(({ id }) => endSession(shared, id, keepId)));
      count += ended.filter(Boolean).length;
    }
    afterId = page.nextAfterId;
  } while (afterId !== undefined);
  return count;
}
