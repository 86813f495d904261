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
  /** By `performance.now()`. */
  probeAt: number;
}

/** What to do if a call fails that requests can do without. */
export type Instead<T> = (error: unknown) => T | Promise<T>;

/**
 * Knows whether the store works, and decides what happens when it does not.
 *
 * `read` and `write` are the only two places where `onStoreError: 'degrade'` decides. A caller says
 * with `instead` what it does without the store. With `degrade`, that is done if the store fails;
 * with `fail`, or without an `instead`, the error is thrown.
 *
 * | state   | a call                                                       | next                              |
 * | ------- | ------------------------------------------------------------ | --------------------------------- |
 * | works   | is made                                                      | an outage of the store: failing   |
 * | failing | `fail`: is made                                              | success: works                    |
 * | failing | `degrade`: one at a time, every 500 ms; others fail at once  | success: works                    |
 *
 * A database that does not answer would otherwise hold up every request for as long as its driver
 * waits.
 */
export class StoreHealth {
  /** Whether requests are served without the store while it fails. */
  readonly degrades: boolean;
  readonly #onStatus: (status: StoreStatus) => void;
  readonly #onError: (error: unknown) => void;
  readonly #reads: Direction = { failing: false, error: undefined, probeAt: 0 };
  readonly #writes: Direction = { ...this.#reads };
  #isProbing = false;
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

  /** Makes a call that only reads. */
  read<T>(call: () => Promise<T>, instead?: Instead<T>): Promise<T> {
    return this.#call(this.#reads, call, instead);
  }

  /** Makes a call that writes. */
  write<T>(call: () => Promise<T>, instead?: Instead<T>): Promise<T> {
    return this.#call(this.#writes, call, instead);
  }

  /**
   * Decides about a call that has failed elsewhere.
   *
   * @throws The error, unless requests do without the store.
   */
  async without<T>(error: unknown, instead: Instead<T>): Promise<T> {
    if (!this.#canDegrade(error)) throw error;
    return instead(error);
  }

  /**
   * Whether to report an error to the operator. While degraded, an outage is reported once, when it
   * is detected, and failures of single sessions at most once a second.
   */
  shouldReport(error: unknown): boolean {
    if (!this.#canDegrade(error)) return true;
    if (error.scope !== 'store') return this.#isTimeToReport();
    // The error can come from work beside requests, such as a read for an open connection.
    if (!this.failing) this.#failed(this.#reads, error, performance.now() - LATE_MS);
    return false;
  }

  async #call<T>(direction: Direction, call: () => Promise<T>, instead: Instead<T> | undefined): Promise<T> {
    try {
      return await this.#probe(direction, call);
    } catch (error) {
      if (instead === undefined) throw error;
      return this.without(error, instead);
    }
  }

  async #probe<T>(direction: Direction, call: () => Promise<T>): Promise<T> {
    const isProbe = this.degrades && direction.failing;
    if (isProbe && (this.#isProbing || performance.now() < direction.probeAt)) throw direction.error;
    if (isProbe) this.#isProbing = true;
    const startedAt = performance.now();
    try {
      const result = await call();
      if (direction.failing) this.#recovered(direction);
      return result;
    } catch (error) {
      // What is wrong with one session changes nothing for another one.
      if (isOutage(error) && error.scope === 'store') this.#failed(direction, error, startedAt);
      else if (this.#canDegrade(error) && this.#isTimeToReport()) this.#onError(error);
      throw error;
    } finally {
      if (isProbe) this.#isProbing = false;
    }
  }

  #canDegrade(error: unknown): error is SessionError {
    return this.degrades && isOutage(error);
  }

  #isTimeToReport(): boolean {
    const now = performance.now();
    if (now < this.#reportAt) return false;
    this.#reportAt = now + REPORT_EVERY_MS;
    return true;
  }

  /** Notes a failure, unless the call began before the last outage was over. */
  #failed(direction: Direction, error: unknown, startedAt: number): void {
    if (startedAt < this.#recoveredAt) return;
    const isNew = !this.failing;
    Object.assign(direction, { failing: true, error, probeAt: performance.now() + PROBE_EVERY_MS });
    if (!isNew) return;
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
