import type { Capabilities } from '../contract/capabilities.ts';

/** A wait of a tail. */
export interface Waiter {
  readonly afterSeq: number;
  readonly wake: (error?: Error) => void;
}

/** A tail that was registered. */
export interface Tail {
  /** Undefined while the tail does not wait. */
  waiter: Waiter | undefined;
  /**
   * Set if the log may have changed since the last read. A hint between a read and the wait that
   * follows must not be lost.
   */
  hinted: boolean;
}

/** The tails of one session, and when to poll for them. */
export class SessionWaiters {
  /** Each session has its own delay: a busy session must not make idle ones poll faster. */
  #delayMs = 0;
  /** When to poll next, by `performance.now()`. */
  pollAt: number = 0;
  /** The newest number that this process knows. */
  lastSeq: number = 0;
  readonly tails: Set<Tail> = new Set();
  readonly waiters: Set<Waiter> = new Set();

  /**
   * A tail begins to wait. The time that others have waited counts, so a tail that waits repeatedly
   * postpones no poll.
   */
  waits(delayMs: number): void {
    const now = performance.now();
    this.#delayMs = delayMs;
    this.pollAt = Math.min(this.pollAt > now ? this.pollAt : Infinity, now + delayMs);
  }

  /**
   * Moves the next poll back, until a tail begins to wait.
   *
   * Sessions at the longest delay are polled at multiples of it, so that one request asks about all
   * of them, whenever each began to wait.
   *
   * @param now When the request begins, by `performance.now()`: the same for all of them.
   */
  askedAbout({ minMs, maxMs }: Capabilities['poll'], now: number): void {
    this.#delayMs = Math.min(this.#delayMs * 1.5, maxMs);
    this.pollAt = now + this.#delayMs;
    if (this.#delayMs < maxMs) return;
    // A timer may fire a little early. Then the multiple that it was meant for has passed.
    const latest = this.pollAt + minMs / 2;
    this.pollAt = latest - (latest % maxMs);
  }

  wake(error?: Error): void {
    for (const waiter of this.waiters) waiter.wake(error);
  }

  hint(): void {
    this.hintReaders();
    this.wake();
  }

  /** Tails that do not wait now read again before they do. */
  hintReaders(): void {
    for (const tail of this.tails) tail.hinted ||= tail.waiter === undefined;
  }

  appended(lastSeq: number): void {
    if (lastSeq > this.lastSeq) this.lastSeq = lastSeq;
    for (const waiter of this.waiters) {
      if (waiter.afterSeq < this.lastSeq) waiter.wake();
    }
  }
}
