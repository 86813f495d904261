import { KeyedLock } from '@mcp-session/core/backend';
import type * as contract from '@mcp-session/core/backend';
import { Background } from './background.ts';
import type { Connection } from './connection.ts';
import { EventAppender } from './events/append.ts';
import { EventReader } from './events/read.ts';
import { EventTrimmer } from './events/trim.ts';
import { HeadCache } from './head-cache.ts';
import { diagnose } from './diagnose.ts';
import { migrate, planMigration, readSchemaVersion } from './migrate.ts';
import type { CreateOptions, ResolvedOptions } from './options.ts';
import { SCHEMA_KEY } from './schema.ts';
import { SessionList } from './sessions/list.ts';
import { SessionRecords } from './sessions/record.ts';
import { StateWriter } from './state/commit.ts';
import { StateReader } from './state/read.ts';
import { Sweeper } from './sweep.ts';
import { TtlMaintenance } from './ttl-maintenance.ts';

/** The DynamoDB backend. */
export class DynamoDbBackend implements contract.SessionBackend {
  readonly name = 'dynamodb';
  readonly capabilities: contract.Capabilities = {
    shared: true,
    durable: true,
    // A transaction may have 4 MB, perhaps with the copies in the local index.
    maxEventBytes: 1_572_864,
    maxValueBytes: 1_572_864,
    // A transaction has at most 100 items: these, the head, the token, and parts of split events.
    maxBatchEvents: 90,
    // Each session is a request of its own, and must not wait for those of others.
    maxBatchSessions: 1,
    // The SDK opens at most 50 connections.
    concurrentBatches: 40,
    blocksThread: false,
    // A poll costs a unit of capacity for each waiting session.
    poll: { minMs: 50, maxMs: 1_000 },
  };
  readonly #connection: Connection;
  readonly #create: CreateOptions | undefined;
  readonly #records: SessionRecords;
  readonly #list: SessionList;
  readonly #stateReader: StateReader;
  readonly #stateWriter: StateWriter;
  readonly #appender: EventAppender;
  readonly #eventReader: EventReader;
  readonly #trimmer: EventTrimmer;
  readonly #sweeper: Sweeper;
  readonly #maintenance: TtlMaintenance;
  readonly #background: Background;

  constructor(connection: Connection, { create, onError }: ResolvedOptions) {
    const cache = new HeadCache(connection);
    const lock = new KeyedLock();
    this.#connection = connection;
    this.#create = create;
    this.#background = new Background(onError);
    this.#records = new SessionRecords(connection, cache);
    this.#list = new SessionList(connection, this.#records);
    this.#stateReader = new StateReader(connection, cache);
    this.#stateWriter = new StateWriter(connection, cache, lock, this.#stateReader);
    this.#appender = new EventAppender(connection, cache, lock, this.#records);
    this.#eventReader = new EventReader(connection, cache);
    this.#trimmer = new EventTrimmer(connection, cache, lock, this.#background);
    this.#maintenance = new TtlMaintenance(connection, cache, this.#background);
    this.#sweeper = new Sweeper(connection, this.#maintenance);
  }

  async createSession(session: contract.NewSession, now: number): Promise<boolean> {
    return this.#records.create(session, now);
  }

  async readSession(id: string, now: number, asker?: contract.SessionAsker): Promise<contract.SessionRow | undefined> {
    return this.#records.read(id, now, asker);
  }

  async updateSession(
    id: string,
    change: contract.SessionChange,
    now: number,
  ): Promise<contract.ChangeResult | undefined> {
    return this.#records.update(id, change, now);
  }

  async touchSession(id: string, expiresAt: number, now: number): Promise<boolean> {
    const head = await this.#records.touch(id, expiresAt, now);
    this.#maintenance.afterWrite(id, now);
    return head !== undefined;
  }

  async endSession(id: string, purgeAt: number, now: number): Promise<boolean> {
    return this.#records.end(id, purgeAt, now);
  }

  async listSessions(query: contract.SessionPageQuery, now: number): Promise<contract.SessionPage> {
    return this.#list.list(query, now);
  }

  async countSessions(query: contract.SessionQuery, now: number): Promise<number> {
    return this.#list.count(query, now);
  }

  async countKinds(now: number): Promise<ReadonlyMap<string, number>> {
    return this.#list.countKinds(now);
  }

  async readSchemaVersion(): Promise<contract.SchemaVersion> {
    return readSchemaVersion(this.#connection);
  }

  async planMigration(): Promise<readonly string[]> {
    return planMigration(this.#connection);
  }

  async diagnose(): Promise<readonly contract.Diagnosis[]> {
    return diagnose(this.#connection);
  }

  async sweep(limit: number, now: number): Promise<contract.SweepResult> {
    return this.#sweeper.sweep(limit, now);
  }

  async readState(
    sessionId: string,
    keys: readonly string[] | undefined,
    now: number,
  ): Promise<readonly contract.StateRow[] | undefined> {
    return this.#stateReader.read(sessionId, keys, now);
  }

  async commitState(commit: contract.StateCommit, now: number): Promise<contract.StateResult | undefined> {
    const result = await this.#stateWriter.commit(commit, now);
    this.#maintenance.afterWrite(commit.sessionId, now);
    return result;
  }

  async clearState(sessionId: string, expiresAt: number | undefined, now: number): Promise<number | undefined> {
    return this.#stateWriter.clear(sessionId, expiresAt, now);
  }

  async appendEvents(
    batch: readonly contract.AppendRequest[],
    now: number,
  ): Promise<readonly contract.AppendOutcome[]> {
    const results = await this.#appender.append(batch, now);
    for (const { sessionId } of batch) this.#maintenance.afterWrite(sessionId, now);
    return results;
  }

  async readEvents(query: contract.EventQuery, now: number): Promise<contract.EventPage | undefined> {
    return this.#eventReader.read(query, now);
  }

  async trimEvents(sessionId: string, bound: contract.TrimBound, now: number): Promise<number | undefined> {
    return this.#trimmer.trim(sessionId, bound, now);
  }

  async readHeads(ids: readonly string[], now: number): Promise<ReadonlyMap<string, contract.PolledHead>> {
    return this.#records.readHeads(ids, now);
  }

  async migrate(): Promise<void> {
    await migrate(this.#connection, this.#create);
  }

  async ping(): Promise<void> {
    await this.#connection.get(this.#connection.tables.sessions, SCHEMA_KEY);
  }

  async close(): Promise<void> {
    this.#connection.stop();
    await this.#background.close();
    await this.#connection.close();
  }
}
