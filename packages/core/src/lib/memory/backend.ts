import type { SessionBackend } from '../contract/backend.ts';
import type { Capabilities } from '../contract/capabilities.ts';
import { SessionError } from '../errors.ts';
import type * as rows from '../contract/rows.ts';
import { appendEvents, readEvents, readHeads } from './events.ts';
import { Records } from './records.ts';
import {
  countKinds,
  countSessions,
  createSession,
  endSession,
  isVisibleTo,
  listSessions,
  sweep,
  updateSession,
} from './sessions.ts';
import { clearState, commitState, readState } from './state.ts';
import { trimEvents } from './trim.ts';

/** Bounds of an in-memory backend. */
export interface MemoryBackendOptions {
  /**
   * Maximum number of sessions, not counting ended ones. A further session is refused with
   * `STORE_FULL` once no expired one is left to remove. Default: `100_000`.
   */
  readonly maxSessions?: number;
  /**
   * Maximum bytes of all data, roughly counted. If a write finds no room after expired sessions are
   * gone, its session gives up its own oldest events, even those that `retention` keeps. A write
   * that still finds no room, and a new session, are refused with `STORE_FULL`. Leave room for the
   * state and the logs of as many sessions as are live at the same time. Default: 1 GiB
   * (`1_073_741_824`).
   */
  readonly maxBytes?: number;
}

/**
 * The in-memory backend: every promise of the contract but durability. Each method runs
 * synchronously, which makes it atomic.
 */
export class MemoryBackend implements SessionBackend {
  readonly name = 'memory';
  readonly capabilities: Capabilities = {
    shared: false,
    durable: false,
    maxEventBytes: 67_108_864,
    maxValueBytes: 67_108_864,
    maxBatchEvents: 1_000,
    maxBatchSessions: 1_000,
    concurrentBatches: 1,
    blocksThread: false,
    poll: { minMs: 1_000, maxMs: 1_000 },
  };
  /** The stored data, for tests. */
  readonly records: Records;
  #closed = false;

  constructor({ maxSessions, maxBytes }: Required<MemoryBackendOptions>) {
    this.records = new Records(maxSessions, maxBytes, (records, now) => sweep(records, Number.MAX_SAFE_INTEGER, now));
  }

  async createSession(session: rows.NewSession, now: number): Promise<boolean> {
    return createSession(this.#open, session, now);
  }

  async readSession(id: string, now: number, asker?: rows.SessionAsker): Promise<rows.SessionRow | undefined> {
    const row = this.#open.findLive(id, now)?.row;
    return row !== undefined && isVisibleTo(row, asker) ? { ...row } : undefined;
  }

  async updateSession(id: string, change: rows.SessionChange, now: number): Promise<rows.ChangeResult | undefined> {
    return updateSession(this.#open, id, change, now);
  }

  async touchSession(id: string, expiresAt: number, now: number): Promise<boolean> {
    return this.#open.renewLive(id, expiresAt, now) !== undefined;
  }

  async endSession(id: string, purgeAt: number, now: number): Promise<boolean> {
    return endSession(this.#open, id, purgeAt, now);
  }

  async listSessions(query: rows.SessionPageQuery, now: number): Promise<rows.SessionPage> {
    return listSessions(this.#open, query, now);
  }

  async countSessions(query: rows.SessionQuery, now: number): Promise<number> {
    return countSessions(this.#open, query, now);
  }

  async countKinds(now: number): Promise<ReadonlyMap<string, number>> {
    return countKinds(this.#open, now);
  }

  async sweep(limit: number, now: number): Promise<rows.SweepResult> {
    return sweep(this.#open, limit, now);
  }

  async readState(
    sessionId: string,
    keys: readonly string[] | undefined,
    now: number,
  ): Promise<readonly rows.StateRow[] | undefined> {
    return readState(this.#open, sessionId, keys, now);
  }

  async commitState(commit: rows.StateCommit, now: number): Promise<rows.StateResult | undefined> {
    return commitState(this.#open, commit, now);
  }

  async clearState(sessionId: string, expiresAt: number | undefined, now: number): Promise<number | undefined> {
    return clearState(this.#open, sessionId, expiresAt, now);
  }

  async appendEvents(batch: readonly rows.AppendRequest[], now: number): Promise<readonly rows.AppendOutcome[]> {
    return appendEvents(this.#open, batch, now);
  }

  async readEvents(query: rows.EventQuery, now: number): Promise<rows.EventPage | undefined> {
    return readEvents(this.#open, query, now);
  }

  async trimEvents(sessionId: string, bound: rows.TrimBound, now: number): Promise<number | undefined> {
    return trimEvents(this.#open, sessionId, bound, now);
  }

  async readHeads(ids: readonly string[], now: number): Promise<ReadonlyMap<string, rows.PolledHead>> {
    return readHeads(this.#open, ids, now);
  }

  async migrate(): Promise<void> {
    await this.ping();
  }

  async ping(): Promise<void> {
    this.#open.findLive('', 0);
  }

  async close(): Promise<void> {
    this.#closed = true;
    this.records.sessions.clear();
    this.records.tombstones.clear();
  }

  get #open(): Records {
    if (this.#closed) throw new SessionError('STORE_CLOSED', 'In-memory store is closed');
    return this.records;
  }
}
