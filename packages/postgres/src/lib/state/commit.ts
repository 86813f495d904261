import type { StateCommit, StateResult, StateRow } from '@mcp-session/core/backend';
import { sql } from 'kysely';
import type { Connection } from '../connection.ts';
import { numberArray, textArrayWithGaps, utf8, utf8Array } from '../literals.ts';
import { table, type Int8 } from '../schema.ts';

/** Stands for no expected version in an array. */
const ANY_VERSION = -1;

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
    const [key] = keys ?? [];
    if (keys !== undefined && key !== undefined && keys.length === 1) return this.#readOne(sessionId, key, now);
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

  async #readOne(sessionId: string, key: string, now: number): Promise<readonly StateRow[] | undefined> {
    const [row] = await this.#statements.readOne({ sessionId, key: utf8(key), now });
    if (row === undefined) return undefined;
    return row.value === null ? [] : [{ key, value: row.value, version: Number(row.version) }];
  }

  async commit(commit: StateCommit, now: number): Promise<StateResult | undefined> {
    const [write] = commit.writes;
    if (write?.value === undefined || commit.writes.length > 1) return this.#commitLocked(commit, now);
    const { sessionId, limits, expiresAt } = commit;
    const { value, bytes, expectedVersion } = write;
    const key = utf8(write.key);
    const [row] = await this.#statements.write({
      sessionId,
      key,
      value,
      bytes,
      expectedVersion,
      ...limits,
      expiresAt,
      now,
    });
    // Not live, a conflict, a limit, or somebody was faster, which may change what there is to say.
    if (row === undefined) return this.#commitLocked(commit, now);
    return { status: 'committed', version: Number(row.version), existed: [row.existed] };
  }

  async #commitLocked(
    { sessionId, writes, limits, expiresAt }: StateCommit,
    now: number,
  ): Promise<StateResult | undefined> {
    const { array: values, gap } = textArrayWithGaps(writes.map(({ value }) => value));
    const [row] = await this.#statements.commit({
      sessionId,
      now,
      keys: utf8Array(writes.map(({ key }) => key)),
      values,
      gap,
      bytes: numberArray(writes.map((write) => write.bytes)),
      expected: numberArray(writes.map(({ expectedVersion }) => expectedVersion ?? ANY_VERSION)),
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

function toText(hex: string): string {
  return Buffer.from(hex, 'hex').toString('utf8');
}

interface BySession {
  readonly sessionId: string;
  readonly now: number;
}

interface SelectedKey {
  /** As hex digits: how the server writes a bytea is a setting (bytea_output). */
  readonly key: string | null;
  readonly value: string | null;
  readonly version: Int8 | null;
}

interface SelectedValue {
  readonly value: string | null;
  readonly version: Int8 | null;
}

interface Written {
  readonly version: Int8;
  readonly existed: boolean;
}

type Write = BySession & {
  readonly key: string;
  readonly value: string;
  readonly bytes: number;
  readonly expectedVersion: number | undefined;
  readonly maxKeys: number;
  readonly maxBytes: number;
  readonly expiresAt: number | undefined;
};

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
    readOne: connection.reading(
      (_, { sessionId, key, now }: BySession & { readonly key: string }) => sql<SelectedValue>`
        select kept.value, kept.version
        from ${table.sessions} as session
        left join ${table.state} as kept on kept.session_pk = session.pk and kept.key = ${key}::text::bytea
        where session.id = ${sessionId} and session.expires_at > ${now}`,
    ),

    read: connection.reading(
      (_, { sessionId, keys, now }: BySession & { readonly keys: string }) => sql<SelectedKey>`
        select encode(kept.key, 'hex') as key, kept.value, kept.version
        from ${table.sessions} as session
        left join ${table.state} as kept on kept.session_pk = session.pk and kept.key = any(${keys}::bytea[])
        where session.id = ${sessionId} and session.expires_at > ${now}`,
    ),

    readAll: connection.reading(
      (_, { sessionId, now }: BySession) => sql<SelectedKey>`
        select encode(kept.key, 'hex') as key, kept.value, kept.version
        from ${table.sessions} as session
        left join ${table.state} as kept on kept.session_pk = session.pk
        where session.id = ${sessionId} and session.expires_at > ${now}`,
    ),

    // The statement sees the key as it was when it began. Each write of state counts `state_version` up, so that nothing has changed since where the row that is locked
    // still has the same: only then is anything written.
    write: connection.writing(
      (_, { sessionId, key, value, bytes, expectedVersion, maxKeys, maxBytes, expiresAt, now }: Write) => sql<Written>`
        with seen as (
          select session.pk, session.state_version, old.version, coalesce(old.bytes, 0) as bytes
          from ${table.sessions} as session
          left join ${table.state} as old on old.session_pk = session.pk and old.key = ${key}::text::bytea
          where session.id = ${sessionId} and session.expires_at > ${now}::int8
        ), moved as (
          update ${table.sessions} as session set
            state_version = session.state_version + 1,
            state_keys = session.state_keys + case when seen.version is null then 1 else 0 end,
            state_bytes = session.state_bytes + ${bytes}::int8 - seen.bytes,
            expires_at = greatest(session.expires_at, ${expiresAt}::int8),
            touched_at = case when ${expiresAt}::int8 is null then session.touched_at else greatest(session.touched_at, ${now}::int8) end
          from seen
          where session.pk = seen.pk and session.expires_at > ${now}::int8 and session.state_version = seen.state_version
            and coalesce(seen.version, 0) = coalesce(${expectedVersion}::int8, seen.version, 0)
            and (seen.version is not null or session.state_keys < ${maxKeys}::int8)
            and (${bytes}::int8 <= seen.bytes or session.state_bytes + ${bytes}::int8 - seen.bytes <= ${maxBytes}::int8)
          returning session.pk, session.state_version, seen.version is not null as existed
        )
        insert into ${table.state} as kept (session_pk, key, version, bytes, value)
        select pk, ${key}::text::bytea, state_version, ${bytes}::int8, ${value} from moved
        on conflict on constraint ${sql.id(`${connection.tablePrefix}state_key`)} do update
        set version = excluded.version, bytes = excluded.bytes, value = excluded.value
        returning version, (select existed from moved) as existed`,
    ),

    commit: connection.writing(
      (
        _,
        commit: BySession & {
          readonly keys: string;
          readonly values: string;
          readonly gap: string;
          readonly bytes: string;
          readonly expected: string;
          readonly maxKeys: number;
          readonly maxBytes: number;
          readonly expiresAt: number | undefined;
        },
      ) => sql<Committed>`
        select * from ${named('commit_state')}(
          ${commit.sessionId}::text, ${commit.now}::int8, ${commit.keys}::bytea[], array_replace(${commit.values}::text[], ${commit.gap}::text, null), ${commit.bytes}::int8[],
          array_replace(${commit.expected}::int8[], ${sql.lit(ANY_VERSION)}::int8, null), ${commit.maxKeys}::int8, ${commit.maxBytes}::int8, ${commit.expiresAt}::int8)`,
    ),

    clear: connection.writing(
      (_, { sessionId, expiresAt, now }: BySession & { readonly expiresAt: number | undefined }) =>
        sql<{ removed: Int8 | null }>`
          select ${named('clear_state')}(${sessionId}::text, ${now}::int8, ${expiresAt}::int8) as removed`,
    ),
  };
}
