import type { StateRow } from '@mcp-session/core/backend';
import type { Connection } from '../connection.ts';
import { isLive, type LiveSessions } from '../sessions/renewal.ts';

/** Reads the state of sessions. */
export class StateReader {
  readonly #connection: Connection;
  readonly #sessions: LiveSessions;
  readonly #statements: ReturnType<typeof prepare>;

  constructor(connection: Connection, sessions: LiveSessions) {
    this.#connection = connection;
    this.#sessions = sessions;
    this.#statements = prepare(connection);
  }

  read(sessionId: string, keys: readonly string[] | undefined, now: number): readonly StateRow[] | undefined {
    const [only] = keys ?? [];
    if (only !== undefined && keys?.length === 1) {
      const row = this.#statements.readOne.get({ id: sessionId, now, key: only });
      // If the key was missing and the session is live afterwards, it was also live at the first
      // read, because an ended session never becomes live again.
      return row === undefined ? this.#sessions.findLive(sessionId, now) && [] : [row];
    }
    return this.#connection.read(() => {
      const session = this.#sessions.findLive(sessionId, now);
      if (session === undefined) return undefined;
      if (keys === undefined) return this.#statements.readAll.all(session);
      return keys.flatMap((key) => this.#statements.read.get({ pk: session.pk, key }) ?? []);
    });
  }
}

function prepare(connection: Connection) {
  return {
    // A subquery: a join takes several times as long.
    readOne: connection.statement((queries, { id, now, key }: { id: string; now: number; key: string }) =>
      queries
        .selectFrom('state')
        .select(['key', 'value', 'version'])
        .where((row) => row('session_pk', '=', row.selectFrom('sessions').select('pk').where(isLive(id, now))))
        .where('key', '=', key),
    ),

    read: connection.statement((queries, { pk, key }: { pk: number; key: string }) =>
      queries
        .selectFrom('state')
        .select(['key', 'value', 'version'])
        .where('session_pk', '=', pk)
        .where('key', '=', key),
    ),

    readAll: connection.statement((queries, { pk }: { readonly pk: number }) =>
      queries.selectFrom('state').select(['key', 'value', 'version']).where('session_pk', '=', pk),
    ),
  };
}
