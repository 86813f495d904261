// By its module, since a caller's tests can replace the global one by a clock that stands still.
import { setTimeout as startTimer } from 'node:timers';

/** The shortest rest, in milliseconds: what others that wait for a lock need to notice that it is free. */
const MIN_REST_MS = 2;

/**
 * Rests between the steps of long work, each as long as the step before it took: others get the database for half of the time, and a step of bounded rows is
 * the longest that they wait. Without it the next step has the lock again before anybody notices that it was free.
 */
export class Rests {
  readonly #ends = new Set<() => void>();
  #closed = false;

  /**
   * @param startedAt When the step began, by `performance.now()`.
   * @param keepAlive Whether the rest keeps the process alive: where somebody awaits the work.
   */
  async after(startedAt: number, keepAlive = true): Promise<void> {
    if (this.#closed) return;
    // Rounded up: a timer drops what is not a whole number of milliseconds.
    const restMs = Math.ceil(Math.max(performance.now() - startedAt, MIN_REST_MS));
    await new Promise<void>((resolve) => {
      const end = (): void => {
        clearTimeout(timer);
        this.#ends.delete(end);
        resolve();
      };
      const timer = startTimer(end, restMs);
      if (!keepAlive) timer.unref();
      this.#ends.add(end);
    });
  }

  /** Ends every rest, now and from now on. */
  close(): void {
    this.#closed = true;
    for (const end of this.#ends) end();
  }
}
