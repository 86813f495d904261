/** How long calls may follow one another before anything else gets its turn, in milliseconds. */
const MAX_TURN_MS = 10;

/**
 * Lets the event loop turn. A backend that works in the calling thread, such as SQLite, answers within microtasks, so that a loop of awaited calls
 * would keep every socket and timer of the process waiting until it ends.
 */
export class EventLoopBudget {
  #startedAt: number | undefined;
  #waiting = 0;

  /** @returns `undefined` where the present turn is young, nobody waits for the next one, and there is nothing to wait for. */
  pauseIfSpent(): Promise<void> | undefined {
    // In the order in which they come: appends of many sessions then meet in one batch, where each would else go on alone for a turn.
    if (this.#waiting === 0 && !this.#isLong()) return undefined;
    this.#waiting++;
    return new Promise((resolve) => {
      // All that wait come up in the same turn, and those that go first can use it up.
      const look = (): void => {
        if (this.#isLong()) {
          setImmediate(look);
          return;
        }
        this.#waiting--;
        resolve();
      };
      setImmediate(look);
    });
  }

  #isLong(): boolean {
    const now = performance.now();
    if (this.#startedAt !== undefined) return now - this.#startedAt >= MAX_TURN_MS;
    this.#startedAt = now;
    // Before whatever waits from now on, so that those that wait find a new turn.
    setImmediate(() => (this.#startedAt = undefined));
    return false;
  }
}
