import { sql, type ExpressionBuilder, type ExpressionWrapper, type RawBuilder, type SqlBool } from 'kysely';
import type { Tables } from '../schema.ts';

/** True for the row of the session if it is live. */
export function isLive(
  id: string,
  now: number,
): (row: ExpressionBuilder<Tables, 'sessions'>) => ExpressionWrapper<Tables, 'sessions', SqlBool> {
  return (row) => row.and([row('id', '=', id), row('expires_at', '>', now)]);
}

/**
 * The assignments that renew a session. A renewal never shortens a session's life, and a null
 * `expiresAt` changes nothing: `greatest` ignores nulls.
 *
 * @param row Names the row of the session in the statement.
 * @param expiresAt An `int8`.
 */
export function renewal(
  row: RawBuilder<unknown>,
  expiresAt: RawBuilder<unknown>,
  now: number,
): Record<'expires_at' | 'touched_at', RawBuilder<number>> {
  return {
    expires_at: sql`greatest(${row}.expires_at, ${expiresAt})`,
    touched_at: sql`case when ${expiresAt} is null then ${row}.touched_at else greatest(${row}.touched_at, ${now}::int8) end`,
  };
}

/** The same in a statement that is written as text. */
export function renewalText(...args: Parameters<typeof renewal>): RawBuilder<unknown> {
  const { expires_at, touched_at } = renewal(...args);
  return sql`expires_at = ${expires_at}, touched_at = ${touched_at}`;
}
