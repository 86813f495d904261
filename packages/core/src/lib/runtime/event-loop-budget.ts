/**
 * How long calls may follow one another before others get a turn of the event loop, in
 * milliseconds.
 */
const BUDGET_MS = 10;

/**
 * Shares the event loop with the rest of the process. A backend that works in the calling thread,
 * such as SQLite, answers within microtasks: a loop of awaited calls would keep every socket and
 * timer of the process waiting until it ends.
 */
export class EventLoopBudget {
  #startedAt: number | undefined;
  /** Places in the queue: the next one to give away, and the one whose turn it is. */
  #nextPlace = 0;
  #served = 0;

  /**
   * Whether a call has to wait for the {@link nextTurn}: the budget of this turn is spent, or
   * others wait already.
   */
  isSpent(): boolean {
    // Queue behind the other waiters, so that appends of many sessions meet in one batch.
    return this.#served < this.#nextPlace || this.#isTurnLong();
  }

  async nextTurn(): Promise<void> {
    const place = this.#nextPlace++;
    // Every waiter resumes in the same turn. The first may spend its budget, so each checks again.
    // It would come behind the first one's next call, if it had no place.
    do {
      await new Promise(setImmediate);
    } while (place !== this.#served || this.#isTurnLong());
    this.#served++;
  }

  #isTurnLong(): boolean {
    const now = performance.now();
    if (this.#startedAt !== undefined) return now - this.#startedAt >= BUDGET_MS;
    this.#startedAt = now;
    // Scheduled before any later waiter, so that later waiters find a new turn.
    setImmediate(() => (this.#startedAt = undefined));
    return false;
  }
}
