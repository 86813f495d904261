import type { Capabilities } from '../contract/capabilities.ts';

/** A wait of a tail. */
export interface Waiter {
  readonly afterSeq: number;
  readonly wake: (error?: Error) => void;
}

/** A tail that was registered. */
export interface Tail {
  /** What it waits with; `undefined`: it does not. */
  waiter: Waiter | undefined;
  /** Something may have moved since it read last. A hint that comes between a read and the wait that follows must not be lost. */
  hinted: boolean;
}

/** The tails of one session, and when it is asked about for them. */
export class SessionWaiters {
  /** A delay for each: a busy session must not make the tails of idle ones poll faster. */
  #delayMs = 0;
  /** When it is asked about next, by `performance.now()`. */
  pollAt: number = 0;
  /** The newest number that this process has heard of. */
  lastSeq: number = 0;
  readonly tails: Set<Tail> = new Set();
  readonly waiters: Set<Waiter> = new Set();

  /** One begins to wait. What the others have waited already counts: one that waits again and again puts no poll off. */
  waits(delayMs: number): void {
    const now = performance.now();
    this.#delayMs = delayMs;
    this.pollAt = Math.min(this.pollAt > now ? this.pollAt : Infinity, now + delayMs);
  }

  /**
   * The next time comes later, unless somebody begins to wait: that begins anew.
   *
   * Sessions that have come to the longest delay are asked about at multiples of it, so that one
   * request asks about all of them, whenever each began to wait.
   */
  askedAbout({ minMs, maxMs }: Capabilities['poll']): void {
    this.#delayMs = Math.min(this.#delayMs * 1.5, maxMs);
    this.pollAt = performance.now() + this.#delayMs;
    if (this.#delayMs < maxMs) return;
    // A timer can fire a little before its time. The multiple that it was meant for is over then.
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

  /** Those that do not wait now look again before they do. */
  hintReaders(): void {
    for (const tail of this.tails) tail.hinted ||= tail.waiter === undefined;
  }

  appended(lastSeq: number): void {
    if (lastSeq > this.lastSeq) this.lastSeq = lastSeq;
    for (const waiter of this.waiters) if (waiter.afterSeq < this.lastSeq) waiter.wake();
  }
}
