import type {
  AppendOutcome,
  AppendRequest,
  Capabilities,
  EventPage,
  EventQuery,
  NewSession,
  PolledHead,
  ProfileChange,
  ProfileResult,
  SessionAsker,
  SessionBackend,
  SessionPage,
  SessionPageQuery,
  SessionQuery,
  SessionRow,
  StateCommit,
  StateResult,
  StateRow,
  SweepResult,
  TrimBound,
} from '@mcp-session/core/backend';
import type { Connection } from './connection.ts';
import { translateError } from './errors.ts';
import { Events } from './events/append.ts';
import { migrate } from './migrate.ts';
import type { Opened } from './client.ts';
import { Sessions } from './sessions/record.ts';
import { State } from './state/commit.ts';
import { Sweep } from './sweep.ts';
import { Trims } from './events/trim.ts';

/** The SQLite backend. SQLite runs in the calling thread: each method has done its work when it returns its promise. */
export class SqliteBackend implements SessionBackend {
  readonly name = 'sqlite';
  readonly capabilities: Capabilities;
  /** A database in memory has none: nobody else can connect to it. */
  readonly readChangeMarker?: () => number;
  readonly #connection: Connection;
  readonly #owned: boolean;
  readonly #sessions: Sessions;
  readonly #state: State;
  readonly #events: Events;
  readonly #trims: Trims;
  readonly #sweep: Sweep;

  constructor({ connection, owned }: Opened) {
    const file = isFile(connection);
    this.capabilities = {
      shared: file,
      durable: file,
      // SQLite itself takes 1,000,000,000 bytes; so much can be copied without holding up the event loop for long.
      maxEventBytes: 67_108_864,
      maxValueBytes: 67_108_864,
      // A few milliseconds under the write lock.
      maxBatchEvents: 500,
      maxBatchSessions: 500,
      // One connection, one writer: a second batch could only wait.
      concurrentBatches: 1,
      blocksThread: file,
      // A poll that finds nothing costs a microsecond or two, see markerOf. In memory there is nothing to find but that a session has expired.
      poll: file ? { minMs: 20, maxMs: 20 } : { minMs: 1_000, maxMs: 1_000 },
    };
    if (file) {
      const readMarker = markerOf(connection, owned);
      // Tails that wait learn here that their file is gone.
      this.readChangeMarker = () =>
        this.#run(() => {
          connection.checkFile();
          return readMarker();
        });
    }
    this.#connection = connection;
    this.#owned = owned;
    this.#sessions = new Sessions(connection);
    this.#state = new State(connection, this.#sessions);
    this.#events = new Events(connection, this.#sessions);
    this.#trims = new Trims(connection, this.#sessions);
    this.#sweep = new Sweep(connection);
  }

  async createSession(session: NewSession, now: number): Promise<boolean> {
    return this.#run(() => this.#sessions.create(session, now));
  }

  async readSession(id: string, now: number, asker?: SessionAsker): Promise<SessionRow | undefined> {
    return this.#run(() => this.#sessions.read(id, now, asker));
  }

  async updateSession(id: string, change: ProfileChange, now: number): Promise<ProfileResult | undefined> {
    return this.#run(() => this.#sessions.update(id, change, now));
  }

  async touchSession(id: string, expiresAt: number, now: number): Promise<boolean> {
    return this.#run(() => this.#sessions.touch(id, expiresAt, now));
  }

  async endSession(id: string, purgeAt: number, now: number): Promise<boolean> {
    return this.#run(() => this.#sessions.end(id, purgeAt, now));
  }

  async listSessions(query: SessionPageQuery, now: number): Promise<SessionPage> {
    return this.#run(() => this.#sessions.list(query, now));
  }

  async countSessions(query: SessionQuery, now: number): Promise<number> {
    return this.#run(() => this.#sessions.count(query, now));
  }

  async sweep(limit: number, now: number): Promise<SweepResult> {
    return this.#run(() => this.#sweep.step(limit, now));
  }

  async readState(
    sessionId: string,
    keys: readonly string[] | undefined,
    now: number,
  ): Promise<readonly StateRow[] | undefined> {
    return this.#run(() => this.#state.read(sessionId, keys, now));
  }

  async commitState(commit: StateCommit, now: number): Promise<StateResult | undefined> {
    return this.#run(() => this.#state.commit(commit, now));
  }

  async clearState(sessionId: string, expiresAt: number | undefined, now: number): Promise<number | undefined> {
    return this.#run(() => this.#state.clear(sessionId, expiresAt, now));
  }

  async appendEvents(batch: readonly AppendRequest[], now: number): Promise<readonly AppendOutcome[]> {
    return this.#run(() => this.#events.append(batch, now));
  }

  async readEvents(query: EventQuery, now: number): Promise<EventPage | undefined> {
    return this.#run(() => this.#events.read(query, now));
  }

  async trimEvents(sessionId: string, bound: TrimBound, now: number): Promise<number | undefined> {
    return this.#run(() => this.#trims.trim(sessionId, bound, now));
  }

  async readHeads(ids: readonly string[], now: number): Promise<ReadonlyMap<string, PolledHead>> {
    return this.#run(() => this.#sessions.readHeads(ids, now));
  }

  async migrate(): Promise<void> {
    try {
      await migrate(this.#connection);
    } catch (error) {
      throw translateError(error, this.#connection);
    }
  }

  async ping(): Promise<void> {
    this.#run(() => {
      this.#connection.checkFile();
      this.#connection.handle.prepare('select count(*) from sqlite_schema').get();
    });
  }

  async close(): Promise<void> {
    // The last connection that closes moves what is in the WAL into the file.
    if (this.#owned) this.#run(() => this.#connection.handle.close());
  }

  #run<T>(operation: () => T): T {
    try {
      return operation();
    } catch (error) {
      throw translateError(error, this.#connection);
    }
  }
}

/** Whether the database has a file: neither `:memory:` nor a temporary one. */
function isFile({ handle }: Connection): boolean {
  const databases = handle.prepare<[], { name: string; file: string }>('pragma database_list').all();
  return databases.some(({ name, file }) => name === 'main' && file !== '');
}

/**
 * A number that changes when another connection has committed (sqlite.org/pragma.html#pragma_data_version) and, where others may use this very
 * connection, when anybody has written on it.
 */
function markerOf({ handle }: Connection, owned: boolean): () => number {
  const written = owned ? '0' : 'total_changes()';
  const marker = handle.prepare<[], number>(`select data_version + ${written} from pragma_data_version`);
  marker.pluck().safeIntegers(false);
  return () => marker.get() ?? 0;
}
