import { randomUUID } from 'node:crypto';
import type { Sql } from 'postgres';
import { KEY, STREAM } from '../lib/ours.ts';
import type { Subject, Subjects } from '../lib/store-cases.ts';

const TTL_MS = 1_800_000;

/**
 * The same rows by hand, in the tables of the package's migrations: only postgres.js, one statement
 * for each write.
 */
export interface RawPostgres extends Subjects {
  readonly subject: (id: string) => Subject;
  /** Creates a session and returns its id. */
  createId(): Promise<string>;
}

export function rawPostgres(sql: Sql, schema: string): RawPostgres {
  const sessions = sql(`${schema}.mcp_sessions`);
  const events = sql(`${schema}.mcp_events`);
  const tokens = sql(`${schema}.mcp_tokens`);
  const states = sql(`${schema}.mcp_state`);
  const key = Buffer.from(KEY);

  const append = async (id: string, message: object): Promise<number> => {
    const text = JSON.stringify(message);
    const bytes = Buffer.byteLength(text);
    const now = Date.now();
    const [row] = await sql<{ last_seq: string }[]>`
      with moved as (
        update ${sessions} set last_seq = last_seq + 1, log_bytes = log_bytes + ${bytes},
          expires_at = greatest(expires_at, ${now + TTL_MS}), touched_at = greatest(touched_at, ${now})
        where id = ${id} and expires_at > ${now} returning pk, last_seq
      ), added as (
        insert into ${events} (session_pk, seq, stream_id, created_at, bytes, message)
        select pk, last_seq, ${STREAM}, ${now}, ${bytes}, ${text} from moved
      ), remembered as (
        insert into ${tokens} (session_pk, token, first_seq, last_seq) select pk, ${randomUUID()}, last_seq, last_seq from moved
      )
      select last_seq from moved`;
    if (row === undefined) throw new Error(`Session ${id} is not live`);
    return Number(row.last_seq);
  };
  const read = async (id: string): Promise<{ value: unknown; version: string } | undefined> => {
    const [row] = await sql<{ value: string; version: string }[]>`
      select value, version from ${states}
      where session_pk = (select pk from ${sessions} where id = ${id} and expires_at > ${Date.now()}) and key = ${key}`;
    return row && { value: JSON.parse(row.value) as unknown, version: row.version };
  };
  const write = async (id: string, value: unknown, expected: string | null): Promise<void> => {
    const text = JSON.stringify(value);
    const bytes = Buffer.byteLength(text) + key.length;
    const now = Date.now();
    // Right as long as no other writer changes the session, which it detects without a lock.
    const rows = await sql`
      with old as (
        select session.pk, session.state_version, kept.version, kept.bytes from ${sessions} as session
        left join ${states} as kept on kept.session_pk = session.pk and kept.key = ${key}
        where session.id = ${id} and session.expires_at > ${now}
      ), moved as (
        update ${sessions} as session set state_version = session.state_version + 1,
          state_keys = session.state_keys + case when old.version is null then 1 else 0 end,
          state_bytes = session.state_bytes + ${bytes}::int8 - coalesce(old.bytes, 0),
          expires_at = greatest(session.expires_at, ${now + TTL_MS}), touched_at = greatest(session.touched_at, ${now})
        from old where session.pk = old.pk and session.state_version = old.state_version and session.expires_at > ${now}
          and (${expected}::int8 is null or ${expected}::int8 = old.version)
        returning session.pk, session.state_version
      )
      insert into ${states} (session_pk, key, version, bytes, value) select pk, ${key}, state_version, ${bytes}, ${text} from moved
      on conflict (session_pk, key) do update set version = excluded.version, bytes = excluded.bytes, value = excluded.value
      returning version`;
    if (rows.length !== 1) throw new Error(`State of session ${id} was not written`);
  };

  const subject = (id: string): Subject => ({
    append: (message) => append(id, message),
    get: async () => (await read(id))?.value,
    set: (value) => write(id, value, null),
    update: async () => {
      const row = await read(id);
      if (row === undefined) throw new Error(`State of session ${id} does not exist`);
      const value = row.value as { readonly n: number };
      await write(id, { ...value, n: value.n + 1 }, row.version);
    },
    replay: async () => {
      const rows = await sql<{ message: string }[]>`
        select seq, stream_id, message, created_at from ${events}
        where session_pk = (select pk from ${sessions} where id = ${id} and expires_at > ${Date.now()})
          and stream_id = ${STREAM} and seq > 0 order by seq`;
      let count = 0;
      for (const { message } of rows) if (JSON.parse(message) !== undefined) count++;
      return count;
    },
  });

  const createId = async (): Promise<string> => {
    const id = randomUUID();
    const now = Date.now();
    await sql`
      insert into ${sessions} (id, kind, principal, created_at, touched_at, expires_at, sweep_at, profile)
      values (${id}, 'session', null, ${now}, ${now}, ${now + TTL_MS}, ${now + TTL_MS}, '{}')`;
    return id;
  };

  return {
    subject,
    createId,
    create: async () => subject(await createId()),
  };
}
