import type { StateCommit, StateResult, StateRow } from '@mcp-session/core';
import { sql } from 'kysely';
import type { Connection } from './connection.ts';
import { numberArray, textArray, utf8Array } from './literals.ts';
import { table, type Int8 } from './schema.ts';

/** The operations on sessions' state. Its writes are functions: see functions.ts for why. */
export class State {
  readonly #statements: ReturnType<typeof prepare>;

  constructor(connection: Connection) {
    this.#statements = prepare(connection);
  }

  async read(
    sessionId: string,
    keys: readonly string[] | undefined,
    now: number,
  ): Promise<readonly StateRow[] | undefined> {
    const rows =
      keys === undefined
        ? await this.#statements.readAll({ sessionId, now })
        : await this.#statements.read({ sessionId, keys: utf8Array(keys), now });
    if (rows.length === 0) return undefined;
    // A live session without such keys is one row of nulls.
    return rows.flatMap(({ key, value, version }) =>
      key === null || value === null ? [] : [{ key: toText(key), value, version: Number(version) }],
    );
  }

  async commit({ sessionId, writes, limits, expiresAt }: StateCommit, now: number): Promise<StateResult | undefined> {
    const [row] = await this.#statements.commit({
      sessionId,
      now,
      keys: utf8Array(writes.map(({ key }) => key)),
      values: textArray(writes.map(({ value }) => value)),
      bytes: numberArray(writes.map((write) => write.bytes)),
      expected: numberArray(writes.map(({ expectedVersion }) => expectedVersion)),
      maxKeys: limits.maxKeys,
      maxBytes: limits.maxBytes,
      expiresAt,
    });
    if (row === undefined) return undefined;
    if (row.outcome === 'committed') {
      const existed = Array.from(row.existed ?? '', (flag) => flag === '1');
      return { status: 'committed', version: Number(row.version), existed };
    }
    if (row.outcome !== 'conflict') return { status: 'limit', limit: row.outcome };
    const key = writes[Number(row.stale) - 1]?.key ?? '';
    const current =
      row.current_value === null ? undefined : { key, value: row.current_value, version: Number(row.version) };
    return { status: 'conflict', key, current };
  }

  async clear(sessionId: string, expiresAt: number | undefined, now: number): Promise<number | undefined> {
    const [row] = await this.#statements.clear({ sessionId, expiresAt, now });
    return row?.removed === undefined || row.removed === null ? undefined : Number(row.removed);
  }
}

function toText(key: Uint8Array): string {
  return Buffer.from(key.buffer, key.byteOffset, key.byteLength).toString('utf8');
}

interface BySession {
  readonly sessionId: string;
  readonly now: number;
}

interface SelectedKey {
  readonly key: Uint8Array | null;
  readonly value: string | null;
  readonly version: Int8 | null;
}

interface Committed {
  readonly outcome: 'committed' | 'conflict' | 'maxKeys' | 'maxBytes';
  /** Of the commit; in a conflict, of the key as it is now. */
  readonly version: Int8;
  /** 1 or 0 for each write. */
  readonly existed: string | null;
  /** Which write is stale, from 1. */
  readonly stale: Int8 | null;
  readonly current_value: string | null;
}

function prepare(connection: Connection) {
  const named = (name: string) => sql.id(connection.schema, `${connection.tablePrefix}${name}`);
  return {
    read: connection.reading(
      (_, { sessionId, keys, now }: BySession & { readonly keys: string }) => sql<SelectedKey>`
        select kept.key, kept.value, kept.version
        from ${table.sessions} as session
        left join ${table.state} as kept on kept.session_pk = session.pk and kept.key = any(${keys}::bytea[])
        where session.id = ${sessionId} and session.ended_at is null and session.expires_at > ${now}`,
    ),

    readAll: connection.reading(
      (_, { sessionId, now }: BySession) => sql<SelectedKey>`
        select kept.key, kept.value, kept.version
        from ${table.sessions} as session
        left join ${table.state} as kept on kept.session_pk = session.pk
        where session.id = ${sessionId} and session.ended_at is null and session.expires_at > ${now}`,
    ),

    commit: connection.writing(
      (
        _,
        commit: BySession & {
          readonly keys: string;
          readonly values: string;
          readonly bytes: string;
          readonly expected: string;
          readonly maxKeys: number;
          readonly maxBytes: number;
          readonly expiresAt: number | undefined;
        },
      ) => sql<Committed>`
        select * from ${named('commit_state')}(
          ${commit.sessionId}::text, ${commit.now}::int8, ${commit.keys}::bytea[], ${commit.values}::text[], ${commit.bytes}::int8[],
          ${commit.expected}::int8[], ${commit.maxKeys}::int8, ${commit.maxBytes}::int8, ${commit.expiresAt}::int8)`,
    ),

    clear: connection.writing(
      (_, { sessionId, expiresAt, now }: BySession & { readonly expiresAt: number | undefined }) =>
        sql<{ removed: Int8 | null }>`
          select ${named('clear_state')}(${sessionId}::text, ${now}::int8, ${expiresAt}::int8) as removed`,
    ),
  };
}
