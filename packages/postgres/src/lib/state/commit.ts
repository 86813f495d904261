import type { StateCommit, StateResult } from '@mcp-session/core/backend';
import { sql, type RawBuilder } from 'kysely';
import type { Connection, Statement } from '../connection.ts';
import { numberArray, textArrayWithGaps, utf8, utf8Array } from '../literals.ts';
import { table, type Int8 } from '../schema.ts';
import { renewalText } from '../sessions/renewal.ts';

/** Stands for "any version" in an array. */
const ANY_VERSION = -1;

/**
 * Writes the state of sessions. A commit of one key is one optimistic statement; if it writes
 * nothing, and for every other commit, the function `commit_state` locks the session and decides.
 */
export class StateWriter {
  readonly #statements: ReturnType<typeof prepare>;

  constructor(connection: Connection) {
    this.#statements = prepare(connection);
  }

  async commit(commit: StateCommit, now: number): Promise<StateResult | undefined> {
    const [write] = commit.writes;
    if (write?.value === undefined || commit.writes.length > 1) return this.#commitLocked(commit, now);
    const { sessionId, limits, expiresAt } = commit;
    const { value, bytes, expectedVersion } = write;
    const key = utf8(write.key);
    const written = { sessionId, key, value, bytes, expectedVersion, ...limits, expiresAt, now };
    const [row] = await this.#statements.writeOne(written);
    // Not live, a conflict, a limit, or a concurrent commit. Only the locked statement can tell
    // which.
    if (row === undefined) return this.#commitLocked(commit, now);
    return { status: 'committed', version: Number(row.version), existed: [row.existed] };
  }

  async #commitLocked(
    { sessionId, writes, limits, expiresAt }: StateCommit,
    now: number,
  ): Promise<StateResult | undefined> {
    const [row] = await this.#statements.commit({
      sessionId,
      now,
      keys: utf8Array(writes.map(({ key }) => key)),
      ...textArrayWithGaps(writes.map(({ value }) => value)),
      sizes: numberArray(writes.map(({ bytes }) => bytes)),
      expected: numberArray(writes.map(({ expectedVersion }) => expectedVersion ?? ANY_VERSION)),
      ...limits,
      expiresAt,
    });
    if (row === undefined) return undefined;
    const version = Number(row.version);
    if (row.outcome === 'committed') {
      const existed = Array.from(row.existed ?? '', (flag) => flag === '1');
      return { status: 'committed', version, existed };
    }
    if (row.outcome !== 'conflict') return { status: 'limit', limit: row.outcome };
    const key = writes[Number(row.stale) - 1]?.key ?? '';
    const current = row.current_value === null ? undefined : { key, value: row.current_value, version };
    return { status: 'conflict', key, current };
  }

  async clear(sessionId: string, expiresAt: number | undefined, now: number): Promise<number | undefined> {
    const [row] = await this.#statements.clear({ sessionId, expiresAt, now });
    return row?.removed === undefined || row.removed === null ? undefined : Number(row.removed);
  }
}

interface Change {
  readonly sessionId: string;
  readonly expiresAt: number | undefined;
  readonly now: number;
}

interface OneWrite extends Change {
  readonly key: string;
  readonly value: string;
  readonly bytes: number;
  readonly expectedVersion: number | undefined;
  readonly maxKeys: number;
  readonly maxBytes: number;
}

interface Written {
  readonly version: Int8;
  readonly existed: boolean;
}

interface Commit extends Change {
  readonly keys: string;
  readonly array: string;
  readonly gap: string;
  readonly sizes: string;
  readonly expected: string;
  readonly maxKeys: number;
  readonly maxBytes: number;
}

interface Committed {
  readonly outcome: 'committed' | 'conflict' | 'maxKeys' | 'maxBytes';
  /** Version of the commit, or in a conflict the present version of the key. */
  readonly version: Int8;
  /** A 1 or 0 for each write. */
  readonly existed: string | null;
  /** Number of the stale write, from 1. */
  readonly stale: Int8 | null;
  readonly current_value: string | null;
}

function prepare(connection: Connection) {
  const named = (name: string) => sql.id(connection.schema, `${connection.tablePrefix}${name}`);
  return {
    writeOne: prepareWriteOne(connection),
    commit: connection.writing((_, commit: Commit) => callCommit(named('commit_state'), commit)),
    clear: connection.writing(
      (_, { sessionId, expiresAt, now }: Change) =>
        sql<{ removed: Int8 | null }>`
          select ${named('clear_state')}(${sessionId}::text, ${now}::int8, ${expiresAt}::int8) as removed`,
    ),
  };
}

// The statement sees the key as it was when the statement began. Every write of state increments
// `state_version`, so if the locked row still has the version that was seen, nothing has changed
// since. Only then is anything written.
function prepareWriteOne(connection: Connection): Statement<OneWrite, Written> {
  return connection.writing(
    (_, { sessionId, key, value, bytes, expectedVersion, maxKeys, maxBytes, expiresAt, now }) => sql<Written>`
      with seen as (
        select session.pk, session.state_version, old.version, coalesce(old.bytes, 0) as bytes
        from ${table.sessions} as session
        left join ${table.state} as old on old.session_pk = session.pk and old.key = ${key}::text::bytea
        where session.id = ${sessionId} and session.expires_at > ${now}::int8
      ), updated as (
        update ${table.sessions} as session set
          state_version = session.state_version + 1,
          state_keys = session.state_keys + case when seen.version is null then 1 else 0 end,
          state_bytes = session.state_bytes + ${bytes}::int8 - seen.bytes,
          ${renewalText(sql`session`, sql`${expiresAt}::int8`, now)}
        from seen
        where session.pk = seen.pk and session.expires_at > ${now}::int8 and session.state_version = seen.state_version
          and coalesce(seen.version, 0) = coalesce(${expectedVersion}::int8, seen.version, 0)
          and (seen.version is not null or session.state_keys < ${maxKeys}::int8)
          and (${bytes}::int8 <= seen.bytes or session.state_bytes + ${bytes}::int8 - seen.bytes <= ${maxBytes}::int8)
        returning session.pk, session.state_version, seen.version is not null as existed
      )
      insert into ${table.state} as kept (session_pk, key, version, bytes, value)
      select pk, ${key}::text::bytea, state_version, ${bytes}::int8, ${value} from updated
      on conflict on constraint ${sql.id(`${connection.tablePrefix}state_key`)} do update
      set version = excluded.version, bytes = excluded.bytes, value = excluded.value
      returning version, (select existed from updated) as existed`,
  );
}

function callCommit(commit_state: RawBuilder<unknown>, commit: Commit): RawBuilder<Committed> {
  return sql<Committed>`
    select * from ${commit_state}(
      ${commit.sessionId}::text, ${commit.now}::int8, ${commit.keys}::bytea[],
      array_replace(${commit.array}::text[], ${commit.gap}::text, null), ${commit.sizes}::int8[],
      array_replace(${commit.expected}::int8[], ${sql.lit(ANY_VERSION)}::int8, null),
      ${commit.maxKeys}::int8, ${commit.maxBytes}::int8, ${commit.expiresAt}::int8)`;
}
