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
    const now = performance.now();
    if (this.#startedAt === undefined) {
      this.#startedAt = now;
      setImmediate(() => (this.#startedAt = undefined));
      return undefined;
    }
    if (now - this.#startedAt < MAX_TURN_MS) return undefined;
    return new Promise((resolve) => setImmediate(resolve));
  }
}
