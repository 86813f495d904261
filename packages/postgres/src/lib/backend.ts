import { SessionError } from '@mcp-session/core';
import type * as contract from '@mcp-session/core/backend';
import type { Connection } from './connection.ts';
import { EventAppender } from './events/append.ts';
import { EventReader } from './events/read.ts';
import { EventTrimmer } from './events/trim.ts';
import { Hints } from './hints.ts';
import { diagnose } from './diagnose.ts';
import { migrate, planMigration, readSchemaVersion } from './migrate.ts';
import type { ResolvedOptions } from './options.ts';
import { SessionList } from './sessions/list.ts';
import { Processes } from './processes.ts';
import { SessionRecords } from './sessions/record.ts';
import { StateWriter } from './state/commit.ts';
import { StateReader } from './state/read.ts';
import { Sweeper } from './sweep.ts';

/** The PostgreSQL backend. Each method is one statement; a sweep that finds something takes two. */
export class PostgresBackend implements contract.SessionBackend {
  readonly name = 'postgres';
  readonly capabilities: contract.Capabilities;
  readonly identifyProcess?: () => Promise<string | undefined>;
  readonly findEndedProcesses?: (processes: readonly string[]) => Promise<ReadonlySet<string>>;
  readonly watch?: (onHint: (sessionId: string) => void) => Promise<() => Promise<void>>;
  readonly #connection: Connection;
  readonly #records: SessionRecords;
  readonly #list: SessionList;
  readonly #stateReader: StateReader;
  readonly #stateWriter: StateWriter;
  readonly #appender: EventAppender;
  readonly #eventReader: EventReader;
  readonly #trimmer: EventTrimmer;
  readonly #sweeper: Sweeper;
  readonly #hints: Hints;
  #closing: Promise<void> | undefined;

  constructor(connection: Connection, { notifications }: ResolvedOptions) {
    this.capabilities = {
      shared: true,
      durable: true,
      // PostgreSQL accepts 1 GB. This much can be serialized without blocking the event loop for
      // long.
      maxEventBytes: 16_777_216,
      maxValueBytes: 16_777_216,
      // This many take a few milliseconds under the locks of their sessions.
      maxBatchEvents: 500,
      maxBatchSessions: 500,
      // Leaves connections to other calls while many sessions append.
      concurrentBatches: Math.max(1, Math.floor(connection.client.maxConnections / 2)),
      blocksThread: false,
      // Polls find what notifications do not show: sessions that expire, and lost notifications.
      poll: { minMs: 1_000, maxMs: 1_000 },
    };
    this.#connection = connection;
    this.#hints = new Hints(connection, notifications);
    this.#records = new SessionRecords(connection);
    this.#list = new SessionList(connection);
    this.#stateReader = new StateReader(connection);
    this.#stateWriter = new StateWriter(connection);
    this.#appender = new EventAppender(connection, (sessionId) => this.#hints.send(sessionId));
    this.#eventReader = new EventReader(connection);
    this.#trimmer = new EventTrimmer(connection);
    this.#sweeper = new Sweeper(connection);
    if (this.#hints.enabled) this.watch = (onHint) => this.#open(() => this.#hints.watch(onHint));
    const { applicationName } = connection.client;
    if (applicationName !== undefined && notifications === 'auto') {
      const processes = new Processes(connection, applicationName);
      this.identifyProcess = () =>
        this.#open(async () => (this.#hints.listensAlone() ? processes.identify() : undefined));
      this.findEndedProcesses = (names) => this.#open(() => processes.findEnded(names));
    }
  }

  createSession(session: contract.NewSession, now: number): Promise<boolean> {
    return this.#open(() => this.#records.create(session, now));
  }

  readSession(id: string, now: number, asker?: contract.SessionAsker): Promise<contract.SessionRow | undefined> {
    return this.#open(() => this.#records.read(id, now, asker));
  }

  updateSession(id: string, change: contract.SessionChange, now: number): Promise<contract.ChangeResult | undefined> {
    return this.#open(() => this.#records.update(id, change, now));
  }

  touchSession(id: string, expiresAt: number, now: number): Promise<boolean> {
    return this.#open(() => this.#records.touch(id, expiresAt, now));
  }

  async endSession(id: string, purgeAt: number, now: number): Promise<boolean> {
    const ended = await this.#open(() => this.#records.end(id, purgeAt, now));
    if (ended) this.#hints.send(id);
    return ended;
  }

  listSessions(query: contract.SessionPageQuery, now: number): Promise<contract.SessionPage> {
    return this.#open(() => this.#list.list(query, now));
  }

  countSessions(query: contract.SessionQuery, now: number): Promise<number> {
    return this.#open(() => this.#list.count(query, now));
  }

  countKinds(now: number): Promise<ReadonlyMap<string, number>> {
    return this.#open(() => this.#list.countKinds(now));
  }

  readSchemaVersion(): Promise<contract.SchemaVersion> {
    return this.#open(() => readSchemaVersion(this.#connection));
  }

  planMigration(): Promise<readonly string[]> {
    return this.#open(() => planMigration(this.#connection));
  }

  diagnose(clock: () => number): Promise<readonly contract.Diagnosis[]> {
    return this.#open(() => diagnose(this.#connection, clock));
  }

  sweep(limit: number, now: number): Promise<contract.SweepResult> {
    return this.#open(() => this.#sweeper.sweep(limit, now));
  }

  readState(
    sessionId: string,
    keys: readonly string[] | undefined,
    now: number,
  ): Promise<readonly contract.StateRow[] | undefined> {
    return this.#open(() => this.#stateReader.read(sessionId, keys, now));
  }

  commitState(commit: contract.StateCommit, now: number): Promise<contract.StateResult | undefined> {
    return this.#open(() => this.#stateWriter.commit(commit, now));
  }

  clearState(sessionId: string, expiresAt: number | undefined, now: number): Promise<number | undefined> {
    return this.#open(() => this.#stateWriter.clear(sessionId, expiresAt, now));
  }

  appendEvents(batch: readonly contract.AppendRequest[], now: number): Promise<readonly contract.AppendOutcome[]> {
    return this.#open(() => this.#appender.append(batch, now));
  }

  readEvents(query: contract.EventQuery, now: number): Promise<contract.EventPage | undefined> {
    return this.#open(() => this.#eventReader.read(query, now));
  }

  trimEvents(sessionId: string, bound: contract.TrimBound, now: number): Promise<number | undefined> {
    return this.#open(() => this.#trimmer.trim(sessionId, bound, now));
  }

  readHeads(ids: readonly string[], now: number): Promise<ReadonlyMap<string, contract.PolledHead>> {
    return this.#open(() => this.#records.readHeads(ids, now));
  }

  migrate(): Promise<void> {
    return this.#open(() => migrate(this.#connection));
  }

  async ping(): Promise<void> {
    await this.#open(() => this.#connection.execute('select 1'));
  }

  async close(): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  async #close(): Promise<void> {
    await this.#hints.close();
    await this.#connection.close();
  }

  #open<T>(operation: () => Promise<T>): Promise<T> {
    if (this.#closing === undefined) return operation();
    return Promise.reject(
      new SessionError('STORE_CLOSED', 'Session store is closed', { store: this.#connection.label }),
    );
  }
}
