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
