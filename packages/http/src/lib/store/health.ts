import { SessionError, type SessionErrorCode } from '@mcp-session/core';

/** Whether the store works, as the requests of a handler find it. */
export interface StoreStatus {
  readonly failing: boolean;
  /** The last error of the store; `undefined` if it works. */
  readonly error: unknown;
}

/** How often a failing store is called while requests are served without it, in milliseconds. */
const PROBE_EVERY_MS = 500;
/**
 * How often failures of single sessions are reported at most while requests are served without the
 * store, in milliseconds.
 */
const REPORT_EVERY_MS = 1_000;
/**
 * How long after an outage failures of work beside requests may still come from it, in
 * milliseconds. Such work tries again more often than that.
 */
const LATE_MS = 1_000;
/** How often a connection that is over is looked at again while its client could not reconnect. */
const LOOK_AGAIN_MS = 1_000;

/** Failures that a retry does not heal, or that say nothing about the store. */
const NO_OUTAGES: ReadonlySet<SessionErrorCode> = new Set(['STORE_CLOSED', 'STORE_CORRUPT', 'STORE_SCHEMA_TOO_NEW']);

/**
 * Whether an error says that the store does not work at the moment, for all sessions or for one.
 */
export function isOutage(error: unknown): error is SessionError {
  return error instanceof SessionError && error.code.startsWith('STORE_') && !NO_OUTAGES.has(error.code);
}

/** Reads or writes: a full or read-only database fails in one of the two. */
interface Direction {
  failing: boolean;
  error: unknown;
}

/** What to do without the store, for a call that failed with the error. */
export type Instead<T> = (error: unknown) => T | Promise<T>;

/**
 * Knows whether the store works, and decides what happens when it does not.
 *
 * `onStoreError: 'degrade'` decides here only: in `read` for reads and in `write` for writes. A
 * caller says with `instead` what it does without the store. With `degrade`, that is done if the
 * store fails. With `fail`, or without an `instead`, the error is thrown. What a caller does
 * instead loses its event id or waits; it is never stored later. A store that fails for all
 * sessions is called by one request at a time, every 500 ms: a database that does not answer would
 * otherwise hold up every request for as long as its driver waits. The first success ends that.
 * Each outage is reported once, when it is detected. A store that fails for one session degrades
 * that session only and is reported at most once a second.
 */
export class StoreHealth {
  /** Whether requests are served without the store while it fails. */
  readonly degrades: boolean;
  readonly #onStatus: (status: StoreStatus) => void;
  readonly #onError: (error: unknown) => void;
  readonly #reads: Direction = { failing: false, error: undefined };
  readonly #writes: Direction = { ...this.#reads };
  /** When a failing store may be called, by `performance.now()`. */
  #probeAt = 0;
  #reportAt = 0;
  /** When the last outage was over, by `performance.now()`. */
  #recoveredAt = Number.NEGATIVE_INFINITY;

  constructor(degrades: boolean, onStatus: (status: StoreStatus) => void, onError: (error: unknown) => void) {
    this.degrades = degrades;
    this.#onStatus = onStatus;
    this.#onError = onError;
  }

  get failing(): boolean {
    return this.#reads.failing || this.#writes.failing;
  }

  /**
   * Whether requests are served without the store now: local sessions and open connections are all
   * there is.
   */
  get degraded(): boolean {
    return this.degrades && this.failing;
  }

  get writesFail(): boolean {
    return this.#writes.failing;
  }

  /**
   * How long a connection that has `leftMs` left stays open: while degraded, its client could not
   * reconnect.
   */
  stayMs(leftMs: number): number {
    return this.degraded ? Math.max(leftMs, LOOK_AGAIN_MS) : leftMs;
  }

  /** Makes a call that only reads. */
  read<T, U = never>(call: () => Promise<T>, instead?: Instead<U>): Promise<T | U> {
    return this.#call(this.#reads, call).catch((error: unknown) => this.without(error, instead));
  }

  /** Makes a call that writes. */
  write<T, U = never>(call: () => Promise<T>, instead?: Instead<U>): Promise<T | U> {
    return this.#call(this.#writes, call).catch((error: unknown) => this.without(error, instead));
  }

  /**
   * Decides about a call that has failed elsewhere.
   *
   * @throws The error, unless requests do without the store.
   */
  async without<T>(error: unknown, instead: Instead<T> | undefined): Promise<T> {
    if (instead === undefined || !this.#canDegrade(error)) throw error;
    return instead(error);
  }

  /**
   * Whether to report an error to the operator. While degraded, an outage is reported once, when it
   * is detected, and failures of single sessions at most once a second.
   */
  shouldReport(error: unknown): boolean {
    if (!this.#canDegrade(error)) return true;
    const now = performance.now();
    if (error.scope === 'store') {
      // The error can come from work beside requests, such as a read for an open connection.
      if (!this.failing) this.#failed(this.#reads, error, now - LATE_MS);
      return false;
    }
    if (now < this.#reportAt) return false;
    this.#reportAt = now + REPORT_EVERY_MS;
    return true;
  }

  async #call<T>(direction: Direction, call: () => Promise<T>): Promise<T> {
    const startedAt = performance.now();
    const isProbe = this.degrades && direction.failing;
    if (isProbe && startedAt < this.#probeAt) throw direction.error;
    if (isProbe) this.#probeAt = Number.POSITIVE_INFINITY;
    try {
      const result = await call();
      if (direction.failing) this.#recovered(direction);
      return result;
    } catch (error) {
      // What is wrong with one session changes nothing for another one.
      if (isOutage(error) && error.scope === 'store') this.#failed(direction, error, startedAt);
      else if (this.#canDegrade(error) && this.shouldReport(error)) this.#onError(error);
      throw error;
    } finally {
      if (isProbe) this.#probeAt = direction.failing ? performance.now() + PROBE_EVERY_MS : 0;
    }
  }

  #canDegrade(error: unknown): error is SessionError {
    return this.degrades && isOutage(error);
  }

  /** Notes a failure, unless the call began before the last outage was over. */
  #failed(direction: Direction, error: unknown, startedAt: number): void {
    if (startedAt < this.#recoveredAt) return;
    const isNew = !this.failing;
    Object.assign(direction, { failing: true, error });
    if (!isNew) return;
    this.#probeAt = performance.now() + PROBE_EVERY_MS;
    this.#onStatus({ failing: true, error });
    if (this.degrades) this.#onError(error);
  }

  #recovered(direction: Direction): void {
    Object.assign(direction, { failing: false, error: undefined });
    if (this.failing) return;
    this.#recoveredAt = performance.now();
    this.#onStatus({ failing: false, error: undefined });
  }
}
