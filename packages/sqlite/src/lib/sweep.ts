import type { SweepResult } from '@mcp-session/core/backend';
import { sql } from 'kysely';
import type { Connection, Statement } from './connection.ts';
import type { Tables } from './schema.ts';

/** Removes expired sessions, ended sessions and tombstones that are due. */
export class Sweeper {
  readonly #connection: Connection;
  readonly #statements: ReturnType<typeof prepare>;

  constructor(connection: Connection) {
    this.#connection = connection;
    this.#statements = prepare(connection);
  }

  sweep(limit: number, now: number): SweepResult {
    // Most sweeps find nothing. Then no other writer has to wait for the lock.
    if (this.#statements.due.get({ now }) === undefined) return { ids: [], done: true };
    return this.#connection.write(() => {
      const ids: string[] = [];
      let left = limit;
      while (left > 0) {
        const session = this.#statements.due.get({ now });
        if (session === undefined) return { ids, done: true };
        const { pk, id, ended_at, expires_at, purge_at } = session;
        if (ended_at === null && expires_at > now) {
          // Renewed since the last sweep looked here.
          this.#statements.lookAt.run({ pk, at: expires_at });
          left--;
          continue;
        }
        left -= this.#removeRows(pk, left);
        if (left === 0) {
          // A node with a slow clock may still count this session as live. It must not find one
          // with half of its data.
          this.#statements.end.run({ pk });
        } else if (purge_at !== null && purge_at > now) {
          this.#statements.lookAt.run({ pk, at: purge_at });
          left--;
        } else {
          this.#statements.removeSession.run({ pk });
          ids.push(id);
          left--;
        }
      }
      return { ids, done: this.#statements.due.get({ now }) === undefined };
    });
  }

  /** @returns The number of removed rows. Fewer than `limit` means that none is left. */
  #removeRows(pk: number, limit: number): number {
    let removed = 0;
    for (const remove of this.#statements.removeRows) removed += remove.run({ pk, limit: limit - removed });
    return removed;
  }
}

interface Rows {
  pk: number;
  limit: number;
}

function prepare(connection: Connection) {
  return {
    due: connection.statement((queries, { now }: { now: number }) =>
      queries
        .selectFrom('sessions')
        .select(['pk', 'id', 'ended_at', 'expires_at', 'purge_at'])
        .where('look_at', '<=', now)
        .orderBy('look_at')
        .limit(1),
    ),

    end: connection.statement((queries, { pk }: { pk: number }) =>
      queries
        .updateTable('sessions')
        .set({
          ended_at: sql`coalesce(ended_at, expires_at)`,
          purge_at: sql`coalesce(purge_at, 0)`,
          look_at: 0,
        })
        .where('pk', '=', pk),
    ),

    lookAt: connection.statement((queries, { pk, at }: { pk: number; at: number }) =>
      queries.updateTable('sessions').set({ look_at: at }).where('pk', '=', pk),
    ),

    removeSession: connection.statement((queries, { pk }: { pk: number }) =>
      queries.deleteFrom('sessions').where('pk', '=', pk),
    ),

    removeRows: [
      // Messages are the largest and the most secret part, so they go first.
      removeFrom(connection, 'events', 'seq'),
      removeFrom(connection, 'state', 'key'),
      removeFrom(connection, 'tokens', 'token'),
      removeFrom(connection, 'trims', 'stream_id'),
      removeFrom(connection, 'records', 'session_pk'),
    ],
  };
}

// Not `delete … limit`, which needs a compile-time option that a borrowed handle may lack.
function removeFrom(
  connection: Connection,
  table: Exclude<keyof Tables, 'sessions'>,
  key: string,
): Statement<Rows, unknown> {
  const [tableRef, keyRef] = [sql.table(table), sql.ref(key)];
  return connection.statement((queries, { pk, limit }: Rows) => {
    const some = sql`select ${keyRef} from ${tableRef} where session_pk = ${pk} limit ${limit}`;
    const query = sql`delete from ${tableRef} where session_pk = ${pk} and ${keyRef} in (${some})`;
    return { compile: () => query.compile(queries) };
  });
}
