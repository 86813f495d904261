import { sql, type RawBuilder } from 'kysely';

// SQLite prepares a statement again before each run if a bound value could change its plan: in a
// join of a table with partial indexes, before an `order by`, in a `limit`
// (sqlite.org/c3ref/prepare.html). That takes longer than reading a row. The planner does not look
// into an expression, and finds the same indexes for it.

/** A bound number that the planner does not look at. */
export function opaqueNumber(value: number): RawBuilder<number> {
  return sql`${value} + 0`;
}

/** A bound text that the planner does not look at. */
export function opaqueText(value: string): RawBuilder<string> {
  return sql`${value} || ''`;
}
