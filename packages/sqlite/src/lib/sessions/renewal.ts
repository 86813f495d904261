import { sql, type ExpressionBuilder, type ExpressionWrapper, type RawBuilder, type SqlBool } from 'kysely';
import type { Connection } from '../connection.ts';
import type { Tables } from '../schema.ts';

/** The columns of a live session that operations on its state and events use. */
export interface LiveSession {
  readonly pk: number;
  readonly expires_at: number;
  readonly last_seq: number;
  readonly trimmed_seq: number;
  readonly forgotten_seq: number;
  readonly log_bytes: number;
  readonly state_version: number;
  readonly state_keys: number;
  readonly state_bytes: number;
}

/** Finds live sessions and renews them, inside the transaction of an operation. */
export class LiveSessions {
  readonly #statements: ReturnType<typeof prepare>;

  constructor(connection: Connection) {
    this.#statements = prepare(connection);
  }

  /** @returns `undefined` if the session is not live. */
  findLive(id: string, now: number): LiveSession | undefined {
    return this.#statements.find.get({ id, now });
  }

  /** Renews a session that this transaction found live. `undefined` changes nothing. */
  renew(pk: number, expiresAt: number | undefined, now: number): void {
    if (expiresAt !== undefined) this.#statements.renew.run({ pk, expiresAt, now });
  }
}

/** True for the row of the session if it is live. */
export function isLive(
  id: string,
  now: number,
): (row: ExpressionBuilder<Tables, 'sessions'>) => ExpressionWrapper<Tables, 'sessions', SqlBool> {
  return (row) => row.and([row('id', '=', id), row('ended_at', 'is', null), row('expires_at', '>', now)]);
}

/** When a renewed session expires; `null` does not renew it. */
export interface Renewal {
  readonly expiresAt: number | null;
  readonly now: number;
}

/** The assignments that renew a session. A renewal never shortens a session's life. */
export function renewal({ expiresAt, now }: Renewal): Record<'expires_at' | 'touched_at', RawBuilder<number>> {
  return {
    expires_at: sql`max(expires_at, ifnull(${expiresAt}, 0))`,
    touched_at: sql`max(touched_at, iif(${expiresAt} is null, 0, ${now}))`,
  };
}

function prepare(connection: Connection) {
  return {
    find: connection.statement((queries, { id, now }: { id: string; now: number }) =>
      queries
        .selectFrom('sessions')
        .select(['pk', 'expires_at', 'last_seq', 'trimmed_seq', 'forgotten_seq', 'log_bytes'])
        .select(['state_version', 'state_keys', 'state_bytes'])
        .where(isLive(id, now)),
    ),

    renew: connection.statement((queries, times: Renewal & { pk: number }) =>
      queries.updateTable('sessions').set(renewal(times)).where('pk', '=', times.pk),
    ),
  };
}
