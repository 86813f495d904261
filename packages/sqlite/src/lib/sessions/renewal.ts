import { sql, type ExpressionBuilder, type ExpressionWrapper, type RawBuilder, type SqlBool } from 'kysely';
import type { Tables } from '../schema.ts';

/** Whether a record is that of a live session. */
export function isLive(
  id: string,
  now: number,
): (row: ExpressionBuilder<Tables, 'sessions'>) => ExpressionWrapper<Tables, 'sessions', SqlBool> {
  return (row) => row.and([row('id', '=', id), row('ended_at', 'is', null), row('expires_at', '>', now)]);
}

/** When a session expires if it is renewed; `null`: it is not. */
export interface Renewal {
  readonly expiresAt: number | null;
  readonly now: number;
}

/** What a write that may renew its session sets. */
export function renewal({ expiresAt, now }: Renewal): Record<'expires_at' | 'touched_at', RawBuilder<number>> {
  return {
    expires_at: sql`max(expires_at, ifnull(${expiresAt}, 0))`,
    touched_at: sql`max(touched_at, iif(${expiresAt} is null, 0, ${now}))`,
  };
}
