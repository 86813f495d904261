import type { StateCommit, StateResult, StateRow, StateWrite } from '@mcp-session/core/backend';
import type { Connection } from '../connection.ts';
import { isLive, renewal, type Renewal } from '../sessions/renewal.ts';
import type { LiveSession, Sessions } from '../sessions/record.ts';

/** The operations on sessions' state. */
export class State {
  readonly #connection: Connection;
  readonly #sessions: Sessions;
  readonly #statements: ReturnType<typeof prepare>;

  constructor(connection: Connection, sessions: Sessions) {
    this.#connection = connection;
    this.#sessions = sessions;
    this.#statements = prepare(connection);
  }

  read(sessionId: string, keys: readonly string[] | undefined, now: number): readonly StateRow[] | undefined {
    const [only] = keys ?? [];
    if (only !== undefined && keys?.length === 1) {
      const row = this.#statements.readOne.get({ id: sessionId, now, key: only });
      // A key that was not there and a session that is live afterwards were so together at some moment: no session comes back to life.
      return row === undefined ? this.#sessions.live(sessionId, now) && [] : [row];
    }
    return this.#connection.read(() => {
      const session = this.#sessions.live(sessionId, now);
      if (session === undefined) return undefined;
      if (keys === undefined) return this.#statements.readAll.all(session);
      return keys.flatMap((key) => this.#statements.read.get({ pk: session.pk, key }) ?? []);
    });
  }

  commit({ sessionId, writes, limits, expiresAt }: StateCommit, now: number): StateResult | undefined {
    return this.#connection.write(() => {
      const session = this.#sessions.live(sessionId, now);
      if (session === undefined) return undefined;
      const before = writes.map(({ key }) => this.#statements.measure.get({ pk: session.pk, key }));
      const stale = writes.find((write, index) => isStale(write, before[index]?.version));
      if (stale !== undefined) {
        const current = this.#statements.read.get({ pk: session.pk, key: stale.key });
        return { status: 'conflict', key: stale.key, current };
      }
      const keys = writes.reduce((sum, { value }, i) => sum + count(value) - count(before[i]), session.state_keys);
      const bytes = writes.reduce((sum, write, i) => sum + write.bytes - (before[i]?.bytes ?? 0), session.state_bytes);
      if (keys > session.state_keys && keys > limits.maxKeys) return { status: 'limit', limit: 'maxKeys' };
      if (bytes > session.state_bytes && bytes > limits.maxBytes) return { status: 'limit', limit: 'maxBytes' };

      const version = session.state_version + 1;
      for (const write of writes) this.#write(session, write, version);
      this.#statements.setTotals.run({ pk: session.pk, version, keys, bytes, expiresAt: expiresAt ?? null, now });
      return { status: 'committed', version, existed: before.map((row) => row !== undefined) };
    });
  }

  clear(sessionId: string, expiresAt: number | undefined, now: number): number | undefined {
    return this.#connection.write(() => {
      const session = this.#sessions.live(sessionId, now);
      if (session === undefined) return undefined;
      const removed = this.#statements.removeAll.run(session);
      const totals = { version: session.state_version + 1, keys: 0, bytes: 0 };
      this.#statements.setTotals.run({ pk: session.pk, ...totals, expiresAt: expiresAt ?? null, now });
      return removed;
    });
  }

  #write({ pk }: LiveSession, { key, value, bytes }: StateWrite, version: number): void {
    if (value === undefined) this.#statements.remove.run({ pk, key });
    else this.#statements.put.run({ pk, key, value, version, bytes });
  }
}

/** @param version Of the key as it is now; `undefined`: it does not exist. */
function isStale({ expectedVersion }: StateWrite, version: number | undefined): boolean {
  return expectedVersion !== undefined && expectedVersion !== (version ?? 0);
}

function count(value: unknown): 0 | 1 {
  return value === undefined ? 0 : 1;
}

interface ByKey {
  pk: number;
  key: string;
}

function prepare(connection: Connection) {
  return {
    read: connection.statement((queries, { pk, key }: ByKey) =>
      queries
        .selectFrom('state')
        .select(['key', 'value', 'version'])
        .where('session_pk', '=', pk)
        .where('key', '=', key),
    ),

    // Not a join, which takes several times as long.
    readOne: connection.statement((queries, { id, now, key }: { id: string; now: number; key: string }) =>
      queries
        .selectFrom('state')
        .select(['key', 'value', 'version'])
        .where((row) => row('session_pk', '=', row.selectFrom('sessions').select('pk').where(isLive(id, now))))
        .where('key', '=', key),
    ),

    readAll: connection.statement((queries, { pk }: { readonly pk: number }) =>
      queries.selectFrom('state').select(['key', 'value', 'version']).where('session_pk', '=', pk),
    ),

    measure: connection.statement((queries, { pk, key }: ByKey) =>
      queries.selectFrom('state').select(['version', 'bytes']).where('session_pk', '=', pk).where('key', '=', key),
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
