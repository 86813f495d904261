// Imported, because the tests of a user may replace the global timers with fake ones that stand
// still.
import { setTimeout as startTimer } from 'node:timers';
import { setTimeout as pause } from 'node:timers/promises';
import type { Capabilities } from '../contract/capabilities.ts';

/** The shortest rest, in milliseconds. */
const MIN_REST_MS = 2;

/**
 * The shortest rest with a driver that blocks its thread, in milliseconds. Such a driver polls a
 * lock: SQLite looks after 1, 3, 8, 18, 33, 53, 78 and 103 ms (`sqliteDefaultBusyCallback`), so no
 * waiter misses a rest of this length.
 */
const MIN_BLOCKING_REST_MS = 25;

/**
 * Rests between the steps of long work, each for as long as the step before it took. Others get the
 * database for half of the time and wait for one bounded step at most. Without a rest the next step
 * would take the lock again before anybody notices that it was free.
 */
export class Rests {
  readonly #minMs: number;
  readonly #ends = new Set<() => void>();
  #closed = false;

  constructor({ blocksThread }: Pick<Capabilities, 'blocksThread'>) {
    this.#minMs = blocksThread ? MIN_BLOCKING_REST_MS : MIN_REST_MS;
  }

  /**
   * @param startedAt When the step began, by `performance.now()`.
   * @param keepAlive Whether the rest keeps the process alive. True if a caller awaits the work.
   */
  async after(startedAt: number, keepAlive = true): Promise<void> {
    if (this.#closed) return;
    // A timer drops fractions of a millisecond, so round up.
    const restMs = Math.ceil(Math.max(performance.now() - startedAt, this.#minMs));
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

/**
 * Pauses after a compare-and-set that lost against another process: at random, and longer with each
 * loss. The first losses cost no pause.
 */
export async function pauseAfterLoss(losses: number): Promise<void> {
  if (losses > 3) await pause(Math.random() * Math.min(losses, 20));
}
