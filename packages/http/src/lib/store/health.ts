import { SessionError, type SessionErrorCode } from '@mcp-session/core';

/** Whether the store works, as the requests of a handler find it. */
export interface StoreStatus {
  readonly failing: boolean;
  /** What it failed with last; `undefined` where it works. */
  readonly error: unknown;
}

/** After how long a store that fails is asked again where requests can do without it, in milliseconds. */
const ASK_AGAIN_MS = 500;
/** How often the operator hears of failures of single sessions at the most where their requests do without the store, in milliseconds. */
const REPORT_AGAIN_MS = 1_000;

/** Failures that another try does not heal, or that say nothing about the store. */
const NO_OUTAGES: ReadonlySet<SessionErrorCode> = new Set(['STORE_CLOSED', 'STORE_CORRUPT', 'STORE_SCHEMA_TOO_NEW']);

/** Whether an error says that the store does not work at the moment, for all sessions or for the one that was asked for. */
export function isFailure(error: unknown): error is SessionError {
  return error instanceof SessionError && error.code.startsWith('STORE_') && !NO_OUTAGES.has(error.code);
}

/** Whether it does not work for all: what is wrong with one session must not change anything for another. */
function isOutage(error: unknown): boolean {
  return isFailure(error) && error.scope === 'store';
}

/** Reads or writes: a full or a read-only database fails in one of the two. */
interface Side {
  failing: boolean;
  error: unknown;
  /** By `performance.now()`. */
  askAt: number;
}

/**
 * Knows whether the store works, and tells whoever wants to know when that changes.
 *
 * Where requests can do without it, a store that fails is asked by one of them at a time and not more often than each half second: a database that
 * does not answer would hold up each of them for as long as its driver waits.
 */
export class StoreHealth {
  /** Whether requests are served without the store while it fails. */
  readonly degrades: boolean;
  readonly #onStatus: (status: StoreStatus) => void;
  readonly #onError: (error: unknown) => void;
  readonly #reads: Side = { failing: false, error: undefined, askAt: 0 };
  readonly #writes: Side = { ...this.#reads };
  #asking = false;
  #reportAt = 0;

  constructor(degrades: boolean, onStatus: (status: StoreStatus) => void, onError: (error: unknown) => void) {
    this.degrades = degrades;
    this.#onStatus = onStatus;
    this.#onError = onError;
  }

  get failing(): boolean {
    return this.#reads.failing || this.#writes.failing;
  }

  /** Whether requests are served without the store at the moment: what is held and what is open is all that there is. */
  get degraded(): boolean {
    return this.degrades && this.failing;
  }

  get writesFail(): boolean {
    return this.#writes.failing;
  }

  /** Makes a call that only reads. @throws what it throws, or what such a call threw last. */
  read<T>(call: () => Promise<T>): Promise<T> {
    return this.#call(this.#reads, call);
  }

  /** Makes a call that writes, likewise. */
  write<T>(call: () => Promise<T>): Promise<T> {
    return this.#call(this.#writes, call);
  }

  /** Whether requests are served in spite of this error: those of one session where it is about that, all where it is about the store. */
  canDoWithout(error: unknown): boolean {
    return this.degrades && isFailure(error);
  }

  /**
   * Whether the operator is to hear of an error. Of an outage that requests are served in there is one report, made when it is noticed; of what is wrong with
   * single sessions one in a while.
   */
  isNews(error: unknown): boolean {
    if (!this.canDoWithout(error)) return true;
    if (!isOutage(error)) return this.#isTimeToReport();
    // It can come from what runs beside requests, such as a lease.
    if (!this.failing) this.#failed(this.#reads, error);
    return false;
  }

  async #call<T>(side: Side, call: () => Promise<T>): Promise<T> {
    const asks = this.degrades && side.failing;
    if (asks && (this.#asking || performance.now() < side.askAt)) throw side.error;
    if (asks) this.#asking = true;
    try {
      const result = await call();
      if (side.failing) this.#works(side);
      return result;
    } catch (error) {
      if (isOutage(error)) this.#failed(side, error);
      else if (this.canDoWithout(error) && this.#isTimeToReport()) this.#onError(error);
      throw error;
    } finally {
      if (asks) this.#asking = false;
    }
  }

  #isTimeToReport(): boolean {
    const now = performance.now();
    if (now < this.#reportAt) return false;
    this.#reportAt = now + REPORT_AGAIN_MS;
    return true;
  }

  #failed(side: Side, error: unknown): void {
    const isNew = !this.failing;
    Object.assign(side, { failing: true, error, askAt: performance.now() + ASK_AGAIN_MS });
    if (!isNew) return;
    this.#onStatus({ failing: true, error });
    if (this.degrades) this.#onError(error);
  }

  #works(side: Side): void {
    Object.assign(side, { failing: false, error: undefined });
    if (!this.failing) this.#onStatus({ failing: false, error: undefined });
  }
}
