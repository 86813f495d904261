/** How long a step may take where it holds up the whole database and the calling thread, in milliseconds. */
const STEP_MS = 20;
/** So many rows go in a step however long it takes: a commit takes its time whatever is in it. */
export const LEAST_ROWS = 50;

/** Rows of the next step of a sweep: fewer where the last one was too slow, more where it was quick. */
export function nextRows(rows: number, tookMs: number, most: number): number {
  const factor = Math.min(Math.max(STEP_MS / tookMs, 0.25), 2);
  return Math.min(Math.max(Math.floor(rows * factor), LEAST_ROWS), most);
}

/** Runs a sweep again and again at times that differ between nodes, one at a time, and never keeps the process alive. */
export class Sweeper {
  readonly #sweep: () => Promise<unknown>;
  readonly #intervalMs: number;
  #timer: NodeJS.Timeout | undefined;
  #stopped = false;

  constructor(intervalMs: number, sweep: () => Promise<unknown>) {
    this.#intervalMs = intervalMs;
    this.#sweep = sweep;
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
      // The observer has seen a failure, and what was not swept now is swept the next time.
      void this.#sweep()
        .catch(() => undefined)
        .then(() => this.#schedule());
    }, delayMs).unref();
  }
}
