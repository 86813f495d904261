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
import { Background } from './background.ts';
import type { Connection } from './connection.ts';
import { EventReader } from './events/read.ts';
import { Events } from './events/append.ts';
import { SCHEMA_KEY } from './schema.ts';
import { Listing } from './sessions/list.ts';
import { Memory } from './head-cache.ts';
import type { Opened } from './open.ts';
import type { CreateOptions } from './options.ts';
import { Sessions } from './sessions/record.ts';
import { State } from './state/commit.ts';
import { StateReader } from './state/read.ts';
import { Sweep } from './sweep.ts';
import { migrate } from './migrate.ts';
import { Trims } from './events/trim.ts';
import { Turns } from './turns.ts';
import { Upkeep } from './ttl-maintenance.ts';

/** The DynamoDB backend. */
export class DynamoDbBackend implements SessionBackend {
  readonly name = 'dynamodb';
  readonly capabilities: Capabilities = {
    shared: true,
    durable: true,
    // A transaction holds 4 MB, perhaps counted with the copies in the local index.
    maxEventBytes: 1_572_864,
    maxValueBytes: 1_572_864,
    // A transaction holds 100 items: these, the head, the token, and the parts of what is split.
    maxBatchEvents: 90,
    // Each session is a request of its own, and must not wait for those of others.
    maxBatchSessions: 1,
    // The SDK holds 50 connections.
    concurrentBatches: 40,
    blocksThread: false,
    // A poll costs a unit of capacity for each session that is waited for.
    poll: { minMs: 50, maxMs: 1_000 },
  };
  readonly #connection: Connection;
  readonly #owned: boolean;
  readonly #create: CreateOptions | undefined;
  readonly #sessions: Sessions;
  readonly #listing: Listing;
  readonly #reader: StateReader;
  readonly #state: State;
  readonly #events: Events;
  readonly #eventReader: EventReader;
  readonly #trims: Trims;
  readonly #sweep: Sweep;
  readonly #upkeep: Upkeep;
  readonly #background = new Background();

  constructor({ connection, owned, create }: Opened) {
    const memory = new Memory();
    const turns = new Turns();
    this.#connection = connection;
    this.#owned = owned;
    this.#create = create;
    this.#sessions = new Sessions(connection, memory);
    this.#listing = new Listing(connection, this.#sessions);
    this.#reader = new StateReader(connection, memory);
    this.#state = new State(connection, memory, turns, this.#sessions, this.#reader);
    this.#events = new Events(connection, memory, turns, this.#sessions);
    this.#eventReader = new EventReader(connection, memory, this.#sessions);
    this.#trims = new Trims(connection, turns, this.#sessions, this.#background);
    this.#upkeep = new Upkeep(connection, memory, this.#background);
    this.#sweep = new Sweep(connection, this.#upkeep);
  }

  async createSession(session: NewSession, now: number): Promise<boolean> {
    return this.#sessions.create(session, now);
  }

  async readSession(id: string, now: number, asker?: SessionAsker): Promise<SessionRow | undefined> {
    return this.#sessions.read(id, now, asker);
  }

  async updateSession(id: string, change: ProfileChange, now: number): Promise<ProfileResult | undefined> {
    return this.#sessions.update(id, change, now);
  }

  async touchSession(id: string, expiresAt: number, now: number): Promise<boolean> {
    const head = await this.#sessions.touch(id, expiresAt, now);
    this.#upkeep.afterWrite(id, now);
    return head !== undefined;
  }

  async endSession(id: string, purgeAt: number, now: number): Promise<boolean> {
    return this.#sessions.end(id, purgeAt, now);
  }

  async listSessions(query: SessionPageQuery, now: number): Promise<SessionPage> {
    return this.#listing.list(query, now);
  }

  async countSessions(query: SessionQuery, now: number): Promise<number> {
    return this.#listing.count(query, now);
  }

  async sweep(limit: number, now: number): Promise<SweepResult> {
    return this.#sweep.step(limit, now);
  }

  async readState(
    sessionId: string,
    keys: readonly string[] | undefined,
    now: number,
  ): Promise<readonly StateRow[] | undefined> {
    return this.#reader.read(sessionId, keys, now);
  }

  async commitState(commit: StateCommit, now: number): Promise<StateResult | undefined> {
    const result = await this.#state.commit(commit, now);
    this.#upkeep.afterWrite(commit.sessionId, now);
    return result;
  }

  async clearState(sessionId: string, expiresAt: number | undefined, now: number): Promise<number | undefined> {
    return this.#state.clear(sessionId, expiresAt, now);
  }

  async appendEvents(batch: readonly AppendRequest[], now: number): Promise<readonly AppendOutcome[]> {
    const results = await this.#events.append(batch, now);
    for (const { sessionId } of batch) this.#upkeep.afterWrite(sessionId, now);
    return results;
  }

  async readEvents(query: EventQuery, now: number): Promise<EventPage | undefined> {
    return this.#eventReader.read(query, now);
  }

  async trimEvents(sessionId: string, bound: TrimBound, now: number): Promise<number | undefined> {
    return this.#trims.trim(sessionId, bound, now);
  }

  async readHeads(ids: readonly string[], now: number): Promise<ReadonlyMap<string, PolledHead>> {
    return this.#sessions.readHeads(ids, now);
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
    if (this.#owned) await this.#connection.destroy();
  }
}
