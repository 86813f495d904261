import { SessionError } from '@mcp-session/core';
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
import { Appends } from './events/append.ts';
import type { Client } from './client.ts';
import { Connection } from './connection.ts';
import { Hints } from './hints.ts';
import { migrate } from './migrate.ts';
import type { ResolvedOptions } from './options.ts';
import { Pages } from './events/read.ts';
import { Sessions } from './sessions/record.ts';
import { State } from './state/commit.ts';
import { Sweep } from './sweep.ts';
import { Trims } from './events/trim.ts';

/** The PostgreSQL backend. Each method is one statement, but for two of a sweep that finds something. */
export class PostgresBackend implements SessionBackend {
  readonly name = 'postgres';
  readonly capabilities: Capabilities;
  readonly watch?: (onHint: (sessionId: string) => void) => Promise<() => Promise<void>>;
  readonly #connection: Connection;
  readonly #sessions: Sessions;
  readonly #state: State;
  readonly #appends: Appends;
  readonly #pages: Pages;
  readonly #trims: Trims;
  readonly #sweep: Sweep;
  readonly #hints: Hints;
  #closing: Promise<void> | undefined;

  constructor(client: Client, { schema, tablePrefix, notifications }: ResolvedOptions) {
    const connection = new Connection(client, schema, tablePrefix);
    this.capabilities = {
      shared: true,
      durable: true,
      // PostgreSQL itself takes 1 GB; so much can be put into a message and taken out again without holding up the event loop for long.
      maxEventBytes: 16_777_216,
      maxValueBytes: 16_777_216,
      // A few milliseconds under the locks of their sessions.
      maxBatchEvents: 500,
      maxBatchSessions: 500,
      // So that other calls find a connection while appends of many sessions are under way.
      concurrentBatches: Math.max(1, Math.floor(connection.client.maxConnections / 2)),
      blocksThread: false,
      // For what notifications do not tell: those that were lost, and sessions that expire.
      poll: { minMs: 1_000, maxMs: 1_000 },
    };
    this.#connection = connection;
    this.#sessions = new Sessions(connection);
    this.#state = new State(connection);
    this.#pages = new Pages(connection);
    this.#trims = new Trims(connection);
    this.#sweep = new Sweep(connection);
    this.#hints = new Hints(connection, notifications);
    this.#appends = new Appends(connection, this.#hints);
    if (this.#hints.enabled) this.watch = (onHint) => this.#open(() => this.#hints.watch(onHint));
  }

  createSession(session: NewSession, now: number): Promise<boolean> {
    return this.#open(() => this.#sessions.create(session, now));
  }

  readSession(id: string, now: number, asker?: SessionAsker): Promise<SessionRow | undefined> {
    return this.#open(() => this.#sessions.read(id, now, asker));
  }

  updateSession(id: string, change: ProfileChange, now: number): Promise<ProfileResult | undefined> {
    return this.#open(() => this.#sessions.update(id, change, now));
  }

  touchSession(id: string, expiresAt: number, now: number): Promise<boolean> {
    return this.#open(() => this.#sessions.touch(id, expiresAt, now));
  }

  async endSession(id: string, purgeAt: number, now: number): Promise<boolean> {
    const ended = await this.#open(() => this.#sessions.end(id, purgeAt, now));
    if (ended) this.#hints.moved(id);
    return ended;
  }

  listSessions(query: SessionPageQuery, now: number): Promise<SessionPage> {
    return this.#open(() => this.#sessions.list(query, now));
  }

  countSessions(query: SessionQuery, now: number): Promise<number> {
    return this.#open(() => this.#sessions.count(query, now));
  }

  sweep(limit: number, now: number): Promise<SweepResult> {
    return this.#open(() => this.#sweep.step(limit, now));
  }

  readState(
    sessionId: string,
    keys: readonly string[] | undefined,
    now: number,
  ): Promise<readonly StateRow[] | undefined> {
    return this.#open(() => this.#state.read(sessionId, keys, now));
  }

  commitState(commit: StateCommit, now: number): Promise<StateResult | undefined> {
    return this.#open(() => this.#state.commit(commit, now));
  }

  clearState(sessionId: string, expiresAt: number | undefined, now: number): Promise<number | undefined> {
    return this.#open(() => this.#state.clear(sessionId, expiresAt, now));
  }

  appendEvents(batch: readonly AppendRequest[], now: number): Promise<readonly AppendOutcome[]> {
    return this.#open(() => this.#appends.append(batch, now));
  }

  readEvents(query: EventQuery, now: number): Promise<EventPage | undefined> {
    return this.#open(() => this.#pages.read(query, now));
  }

  trimEvents(sessionId: string, bound: TrimBound, now: number): Promise<number | undefined> {
    return this.#open(() => this.#trims.trim(sessionId, bound, now));
  }

  readHeads(ids: readonly string[], now: number): Promise<ReadonlyMap<string, PolledHead>> {
    return this.#open(() => this.#sessions.readHeads(ids, now));
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
