import { randomUUID } from 'node:crypto';
import Database from 'better-sqlite3';
import { KEY, STREAM } from '../lib/ours.ts';
import type { Subject, Subjects } from '../lib/store-cases.ts';

const TTL_MS = 1_800_000;

/**
 * The same rows by hand, in the tables of the package's migrations: only better-sqlite3.
 */
export interface RawSqlite extends Subjects {
  readonly database: Database.Database;
  readonly subject: (id: string) => Subject;
  /** Creates a session and returns its id. */
  createId(): Promise<string>;
  close(): void;
}

export function rawSqlite(path: string, synchronous: 'full' | 'normal'): RawSqlite {
  const database = new Database(path);
  database.pragma('journal_mode = wal');
  database.pragma(`synchronous = ${synchronous}`);
  database.pragma('foreign_keys = on');
  const statements = prepare(database);

  const live = (id: string, now: number): { pk: number } => {
    const row = statements.live.get(id, now);
    if (row === undefined) throw new Error(`Session ${id} is not live`);
    return row;
  };
  const append = (id: string, message: object): number => {
    const text = JSON.stringify(message);
    const bytes = Buffer.byteLength(text);
    const now = Date.now();
    const moved = statements.move.get(bytes, now + TTL_MS, now, id, now);
    if (moved === undefined) throw new Error(`Session ${id} is not live`);
    const { pk, last_seq: seq } = moved;
    statements.insert.run(pk, seq, STREAM, now, bytes, text);
    statements.remember.run(pk, randomUUID(), seq, seq);
    if (seq % 1_000 === 0) statements.forget.run(pk, seq - 1_000);
    return seq;
  };
  const set = (id: string, value: unknown): void => {
    const text = JSON.stringify(value);
    const bytes = Buffer.byteLength(text) + KEY.length;
    const now = Date.now();
    const { pk } = live(id, now);
    const before = statements.measure.get(pk, KEY);
    const { state_version: version } = statements.count.get(
      before === undefined ? 1 : 0,
      bytes - (before?.bytes ?? 0),
      now + TTL_MS,
      now,
      pk,
    ) as { state_version: number };
    statements.put.run(pk, KEY, version, bytes, text);
  };
  const get = (id: string): unknown => {
    const row = statements.read.get(id, Date.now(), KEY);
    return row === undefined ? undefined : JSON.parse(row.value);
  };

  const transactions = {
    append: database.transaction(append),
    appendAll: database.transaction((ids: readonly string[], messages: readonly object[]) => {
      for (const [index, id] of ids.entries()) append(id, messages[index] ?? {});
    }),
    set: database.transaction(set),
    update: database.transaction((id: string) => {
      const value = get(id) as { n: number };
      set(id, { ...value, n: value.n + 1 });
    }),
  };

  const ids = new Map<Subject, string>();
  const subject = (id: string): Subject => {
    const made: Subject = {
      append: (message) => transactions.append.immediate(id, message),
      get: () => get(id),
      set: (value) => transactions.set.immediate(id, value),
      update: () => transactions.update.immediate(id),
      replay: () => {
        let count = 0;
        for (const { message } of statements.replay.all(live(id, Date.now()).pk, STREAM)) {
          if (JSON.parse(message) !== undefined) count++;
        }
        return count;
      },
    };
    ids.set(made, id);
    return made;
  };

  const createId = async (): Promise<string> => {
    const id = randomUUID();
    const now = Date.now();
    statements.create.run(id, now, now, now + TTL_MS, now + TTL_MS);
    return id;
  };

  return {
    database,
    subject,
    createId,
    create: async () => subject(await createId()),
    appendAll: (subjects, messages) =>
      transactions.appendAll.immediate(
        subjects.map((each) => ids.get(each) ?? ''),
        messages,
      ),
    close: () => database.close(),
  };
}

function prepare(database: Database.Database) {
  return {
    create: database.prepare(
      `insert into mcp_sessions (id, kind, principal, created_at, touched_at, expires_at, look_at, profile)
       values (?, 'session', null, ?, ?, ?, ?, '{}')`,
    ),
    live: database.prepare<[string, number], { pk: number }>(
      'select pk from mcp_sessions where id = ? and ended_at is null and expires_at > ?',
    ),
    move: database.prepare<[number, number, number, string, number], { pk: number; last_seq: number }>(
      `update mcp_sessions set last_seq = last_seq + 1, log_bytes = log_bytes + ?, expires_at = max(expires_at, ?), touched_at = max(touched_at, ?)
       where id = ? and ended_at is null and expires_at > ? returning pk, last_seq`,
    ),
    insert: database.prepare(
      'insert into mcp_events (session_pk, seq, stream_id, created_at, bytes, message) values (?, ?, ?, ?, ?, ?)',
    ),
    remember: database.prepare('insert into mcp_tokens (session_pk, token, first_seq, last_seq) values (?, ?, ?, ?)'),
    forget: database.prepare('delete from mcp_tokens where session_pk = ? and last_seq <= ?'),
    measure: database.prepare<[number, string], { bytes: number }>(
      'select bytes from mcp_state where session_pk = ? and key = ?',
    ),
    count: database.prepare(
      `update mcp_sessions set state_version = state_version + 1, state_keys = state_keys + ?, state_bytes = state_bytes + ?,
         expires_at = max(expires_at, ?), touched_at = max(touched_at, ?)
       where pk = ? returning state_version`,
    ),
    put: database.prepare(
      `insert into mcp_state (session_pk, key, version, bytes, value) values (?, ?, ?, ?, ?)
       on conflict (session_pk, key) do update set version = excluded.version, bytes = excluded.bytes, value = excluded.value`,
    ),
    read: database.prepare<[string, number, string], { value: string }>(
      // Several times as fast as a join.
      `select value from mcp_state
       where session_pk = (select pk from mcp_sessions where id = ? and ended_at is null and expires_at > ?) and key = ?`,
    ),
    replay: database.prepare<[number, string], { message: string }>(
      'select seq, stream_id, message, created_at from mcp_events where session_pk = ? and stream_id = ? and seq > 0 order by seq',
    ),
  };
}
