import type { ErrorListener } from '../reports/error-log.ts';

/**
 * How long a step may take if it blocks the whole database and the calling thread, in milliseconds.
 */
const STEP_MS = 20;
/** Fewest rows of a step, however long it takes: a commit takes its time whatever it holds. */
export const LEAST_ROWS = 50;

/** Rows of the next step of a sweep: fewer if the last step was too slow, more if it was quick. */
export function nextRows(rows: number, tookMs: number, most: number): number {
  const factor = Math.min(Math.max(STEP_MS / tookMs, 0.25), 2);
  return Math.min(Math.max(Math.floor(rows * factor), LEAST_ROWS), most);
}

/**
 * Sweeps repeatedly, one sweep at a time, at intervals that differ between nodes. Never keeps the
 * process alive.
 */
export class Sweeper {
  readonly #sweep: () => Promise<unknown>;
  readonly #onError: ErrorListener;
  readonly #intervalMs: number;
  #timer: NodeJS.Timeout | undefined;
  #stopped = false;

  constructor(intervalMs: number, sweep: () => Promise<unknown>, onError: ErrorListener) {
    this.#intervalMs = intervalMs;
    this.#sweep = sweep;
    this.#onError = onError;
    this.#schedule();
  }

  stop(): void {
    this.#stopped = true;
    clearTimeout(this.#timer);
  }

  #schedule(): void {
    if (this.#stopped) return;
    const delayMs = this.#intervalMs * (0.5 + Math.random());
    this.#timer = setTimeout(() => {
      // The next sweep removes what this one left.
      void this.#sweep()
        .catch((error: unknown) => this.#onError(error, 'sweep'))
        .then(() => this.#schedule());
    }, delayMs).unref();
  }
}
