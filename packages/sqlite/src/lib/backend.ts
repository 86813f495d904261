import type * as contract from '@mcp-session/core/backend';
import type { Connection } from './connection.ts';
import { translateError } from './errors.ts';
import { EventAppender } from './events/append.ts';
import { EventReader } from './events/read.ts';
import { EventTrimmer } from './events/trim.ts';
import { diagnose } from './diagnose.ts';
import { migrate, planMigration, readSchemaVersion } from './migrate.ts';
import { SessionList } from './sessions/list.ts';
import { SessionRecords } from './sessions/record.ts';
import { LiveSessions } from './sessions/renewal.ts';
import { StateWriter } from './state/commit.ts';
import { StateReader } from './state/read.ts';
import { Sweeper } from './sweep.ts';

/**
 * The SQLite backend. SQLite runs in the calling thread, so each method has finished its work when
 * it returns its promise.
 */
export class SqliteBackend implements contract.SessionBackend {
  readonly name = 'sqlite';
  readonly capabilities: contract.Capabilities;
  /** A database in memory has none, because no other connection can open it. */
  readonly readChangeMarker?: () => number;
  /** Only a file that this backend has opened itself has a lock beside it. */
  readonly identifyProcess?: () => Promise<string | undefined>;
  readonly findEndedProcesses?: (processes: readonly string[]) => Promise<ReadonlySet<string>>;
  readonly #connection: Connection;
  readonly #records: SessionRecords;
  readonly #list: SessionList;
  readonly #stateReader: StateReader;
  readonly #stateWriter: StateWriter;
  readonly #appender: EventAppender;
  readonly #eventReader: EventReader;
  readonly #trimmer: EventTrimmer;
  readonly #sweeper: Sweeper;

  constructor(connection: Connection) {
    const file = isFile(connection);
    this.capabilities = {
      shared: file,
      durable: file,
      // SQLite accepts 1,000,000,000 bytes. This much can be copied without blocking the event loop
      // for long.
      maxEventBytes: 67_108_864,
      maxValueBytes: 67_108_864,
      // This many take a few milliseconds under the write lock.
      maxBatchEvents: 500,
      maxBatchSessions: 500,
      // One connection has one writer, so a second batch could only wait.
      concurrentBatches: 1,
      blocksThread: file,
      // A poll that finds nothing costs one or two microseconds, see markerOf. In memory, polls
      // only find expired sessions.
      poll: file ? { minMs: 20, maxMs: 20 } : { minMs: 1_000, maxMs: 1_000 },
    };
    if (file) {
      const readMarker = markerOf(connection);
      // A waiting tail notices here that the file is gone.
      this.readChangeMarker = () =>
        this.#run(() => {
          connection.checkFile();
          return readMarker();
        });
    }
    const { lock } = connection;
    if (lock !== undefined) {
      this.identifyProcess = async () => this.#run(() => lock.take());
      this.findEndedProcesses = async (processes) =>
        this.#run(() => new Set(processes.filter((process) => lock.isReleased(process))));
    }
    this.#connection = connection;
    const sessions = new LiveSessions(connection);
    this.#records = new SessionRecords(connection, sessions);
    this.#list = new SessionList(connection);
    this.#stateReader = new StateReader(connection, sessions);
    this.#stateWriter = new StateWriter(connection, sessions);
    this.#appender = new EventAppender(connection, sessions);
    this.#eventReader = new EventReader(connection, sessions);
    this.#trimmer = new EventTrimmer(connection, sessions);
    this.#sweeper = new Sweeper(connection);
  }

  async createSession(session: contract.NewSession, now: number): Promise<boolean> {
    return this.#run(() => this.#records.create(session, now));
  }

  async readSession(id: string, now: number, asker?: contract.SessionAsker): Promise<contract.SessionRow | undefined> {
    return this.#run(() => this.#records.read(id, now, asker));
  }

  async updateSession(
    id: string,
    change: contract.SessionChange,
    now: number,
  ): Promise<contract.ChangeResult | undefined> {
    return this.#run(() => this.#records.update(id, change, now));
  }

  async touchSession(id: string, expiresAt: number, now: number): Promise<boolean> {
    return this.#run(() => this.#records.touch(id, expiresAt, now));
  }

  async endSession(id: string, purgeAt: number, now: number): Promise<boolean> {
    return this.#run(() => this.#records.end(id, purgeAt, now));
  }

  async listSessions(query: contract.SessionPageQuery, now: number): Promise<contract.SessionPage> {
    return this.#run(() => this.#list.list(query, now));
  }

  async countSessions(query: contract.SessionQuery, now: number): Promise<number> {
    return this.#run(() => this.#list.count(query, now));
  }

  async countKinds(now: number): Promise<ReadonlyMap<string, number>> {
    return this.#run(() => this.#list.countKinds(now));
  }

  async readSchemaVersion(): Promise<contract.SchemaVersion> {
    return this.#run(() => readSchemaVersion(this.#connection));
  }

  async planMigration(): Promise<readonly string[]> {
    return this.#run(() => planMigration(this.#connection));
  }

  async diagnose(): Promise<readonly contract.Diagnosis[]> {
    return this.#run(() => diagnose(this.#connection));
  }

  async sweep(limit: number, now: number): Promise<contract.SweepResult> {
    return this.#run(() => this.#sweeper.sweep(limit, now));
  }

  async readState(
    sessionId: string,
    keys: readonly string[] | undefined,
    now: number,
  ): Promise<readonly contract.StateRow[] | undefined> {
    return this.#run(() => this.#stateReader.read(sessionId, keys, now));
  }

  async commitState(commit: contract.StateCommit, now: number): Promise<contract.StateResult | undefined> {
    return this.#run(() => this.#stateWriter.commit(commit, now));
  }

  async clearState(sessionId: string, expiresAt: number | undefined, now: number): Promise<number | undefined> {
    return this.#run(() => this.#stateWriter.clear(sessionId, expiresAt, now));
  }

  async appendEvents(
    batch: readonly contract.AppendRequest[],
    now: number,
  ): Promise<readonly contract.AppendOutcome[]> {
    return this.#run(() => this.#appender.append(batch, now));
  }

  async readEvents(query: contract.EventQuery, now: number): Promise<contract.EventPage | undefined> {
    return this.#run(() => this.#eventReader.read(query, now));
  }

  async trimEvents(sessionId: string, bound: contract.TrimBound, now: number): Promise<number | undefined> {
    return this.#run(() => this.#trimmer.trim(sessionId, bound, now));
  }

  async readHeads(ids: readonly string[], now: number): Promise<ReadonlyMap<string, contract.PolledHead>> {
    return this.#run(() => this.#records.readHeads(ids, now));
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
    this.#run(() => this.#connection.close());
  }

  #run<T>(operation: () => T): T {
    try {
      return operation();
    } catch (error) {
      throw translateError(error, this.#connection);
    }
  }
}

/** True if the database has a file of its own: neither `:memory:` nor a temporary one. */
function isFile({ handle }: Connection): boolean {
  const databases = handle.prepare<[], { name: string; file: string }>('pragma database_list').all();
  return databases.some(({ name, file }) => name === 'main' && file !== '');
}

/**
 * Returns a function that gives a number which changes when another connection commits
 * (sqlite.org/pragma.html#pragma_data_version). On a borrowed handle it also changes with every
 * write on the handle itself, because its owner may write there too.
 */
function markerOf({ handle, owned }: Connection): () => number {
  const written = owned ? '0' : 'total_changes()';
  const marker = handle.prepare<[], number>(`select data_version + ${written} from pragma_data_version`);
  marker.pluck().safeIntegers(false);
  return () => marker.get() ?? 0;
}
