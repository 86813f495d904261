/** How long calls may follow one another before anything else gets its turn, in milliseconds. */
const MAX_TURN_MS = 10;

/**
 * Lets the event loop turn. A backend that works in the calling thread, such as SQLite, answers within microtasks, so that a loop of awaited calls
 * would keep every socket and timer of the process waiting until it ends.
 */
export class EventLoopTurn {
  #startedAt: number | undefined;

  /** @returns `undefined` where the present turn is young and there is nothing to wait for. */
  endIfLong(): Promise<void> | undefined {
    if (!this.#isLong()) return undefined;
    return new Promise((resolve) => {
      // All that wait come up in the same turn, and those that go first can use it up.
      const look = (): void => {
        if (this.#isLong()) setImmediate(look);
        else resolve();
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
