import { judgeCommit, type StateCommit, type StateResult } from '@mcp-session/core/backend';
import type { Connection } from '../connection.ts';
import { renewal, type LiveSessions, type Renewal } from '../sessions/renewal.ts';

/** Writes the state of sessions. */
export class StateWriter {
  readonly #connection: Connection;
  readonly #sessions: LiveSessions;
  readonly #statements: ReturnType<typeof prepare>;

  constructor(connection: Connection, sessions: LiveSessions) {
    this.#connection = connection;
    this.#sessions = sessions;
    this.#statements = prepare(connection);
  }

  commit(commit: StateCommit, now: number): StateResult | undefined {
    const { sessionId, writes, expiresAt } = commit;
    return this.#connection.write(() => {
      const session = this.#sessions.findLive(sessionId, now);
      if (session === undefined) return undefined;
      const { pk } = session;
      const before = writes.map(({ key }) => this.#statements.measure.get({ pk, key }));
      const verdict = judgeCommit(commit, before, { keys: session.state_keys, bytes: session.state_bytes });
      if (verdict.status === 'conflict') {
        return { ...verdict, current: this.#statements.read.get({ pk, key: verdict.key }) };
      }
      if (verdict.status === 'limit') return verdict;

      const version = session.state_version + 1;
      for (const { key, value, bytes } of writes) {
        if (value === undefined) this.#statements.remove.run({ pk, key });
        else this.#statements.put.run({ pk, key, value, version, bytes });
      }
      this.#statements.setTotals.run({ pk, version, ...verdict.totals, expiresAt: expiresAt ?? null, now });
      return { status: 'committed', version, existed: before.map((row) => row !== undefined) };
    });
  }

  clear(sessionId: string, expiresAt: number | undefined, now: number): number | undefined {
    return this.#connection.write(() => {
      const session = this.#sessions.findLive(sessionId, now);
      if (session === undefined) return undefined;
      const removed = this.#statements.removeAll.run(session);
      const totals = { version: session.state_version + 1, keys: 0, bytes: 0 };
      this.#statements.setTotals.run({ pk: session.pk, ...totals, expiresAt: expiresAt ?? null, now });
      return removed;
    });
  }
}

interface ByKey {
  pk: number;
  key: string;
}

function prepare(connection: Connection) {
  return {
    measure: connection.statement((queries, { pk, key }: ByKey) =>
      queries.selectFrom('state').select(['version', 'bytes']).where('session_pk', '=', pk).where('key', '=', key),
    ),

    read: connection.statement((queries, { pk, key }: ByKey) =>
      queries
        .selectFrom('state')
        .select(['key', 'value', 'version'])
        .where('session_pk', '=', pk)
        .where('key', '=', key),
    ),

    put: connection.statement((queries, row: ByKey & { value: string; version: number; bytes: number }) =>
      queries
        .insertInto('state')
        .values({ session_pk: row.pk, key: row.key, value: row.value, version: row.version, bytes: row.bytes })
        .onConflict((conflict) =>
          conflict.columns(['session_pk', 'key']).doUpdateSet((row) => ({
            value: row.ref('excluded.value'),
            version: row.ref('excluded.version'),
            bytes: row.ref('excluded.bytes'),
          })),
        ),
    ),

    remove: connection.statement((queries, { pk, key }: ByKey) =>
      queries.deleteFrom('state').where('session_pk', '=', pk).where('key', '=', key),
    ),

    removeAll: connection.statement((queries, { pk }: { readonly pk: number }) =>
      queries.deleteFrom('state').where('session_pk', '=', pk),
    ),

    setTotals: connection.statement(
      (queries, totals: Renewal & { pk: number; version: number; keys: number; bytes: number }) =>
        queries
          .updateTable('sessions')
          .set({
            state_version: totals.version,
            state_keys: totals.keys,
            state_bytes: totals.bytes,
            ...renewal(totals),
          })
          .where('pk', '=', totals.pk),
    ),
  };
}
