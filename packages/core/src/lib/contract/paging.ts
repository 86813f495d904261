import type { EventQuery, EventRow, SessionPage, TrimBound } from './rows.ts';

/**
 * Takes rows for a page of events: at most `limit` rows and `maxBytes` bytes, but at least one row.
 * Reads no row after the first that does not fit, so `rows` can be a cursor of the database.
 *
 * @param rows In the order in which the page fills: oldest first, or newest first if `afterSeq` of
 * the query is `undefined`.
 * @returns The rows in the same order, and whether one was left over.
 */
export function takePage<Row extends { readonly bytes: number }>(
  rows: Iterable<Row>,
  { limit, maxBytes }: Pick<EventQuery, 'limit' | 'maxBytes'>,
): { readonly rows: Row[]; readonly more: boolean } {
  const page: Row[] = [];
  let bytes = 0;
  for (const row of rows) {
    bytes += row.bytes;
    if (page.length === limit || (page.length > 0 && bytes > maxBytes)) return { rows: page, more: true };
    page.push(row);
  }
  return { rows: page, more: false };
}

/**
 * Makes a page of a listing from the rows found for it, in the byte order of their ids.
 *
 * @param found Up to one row more than `limit`, which tells that there are more.
 */
export function takeSessions<Row extends { readonly id: string }>(
  found: readonly Row[],
  limit: number,
): Omit<SessionPage, 'rows'> & { readonly rows: readonly Row[] } {
  const rows = found.slice(0, limit);
  const more = found.length > limit;
  return { rows, more, nextAfterId: more ? rows.at(-1)?.id : undefined };
}

/**
 * Whether a log exceeds a bound of a trim, so that its oldest event must go.
 *
 * @param left How many events are left, the oldest one included, and the bytes of their messages.
 */
export function exceeds(
  bound: TrimBound,
  oldest: Pick<EventRow, 'seq' | 'createdAt'>,
  left: { readonly events: number; readonly bytes: number },
): boolean {
  return (
    (bound.maxEvents !== undefined && left.events > bound.maxEvents) ||
    (bound.maxBytes !== undefined && left.bytes > bound.maxBytes) ||
    (bound.createdBefore !== undefined && oldest.createdAt < bound.createdBefore) ||
    (bound.throughSeq !== undefined && oldest.seq <= bound.throughSeq)
  );
}
