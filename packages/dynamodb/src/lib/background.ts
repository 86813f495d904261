import { setTimeout as pause } from 'node:timers/promises';

/** Work that waits at the most. What finds no room is found again by the next write of its session. */
const MAX_WAITING = 1_000;

/** A piece of work that stops soon after `signal` is aborted. */
export type Work = (signal: AbortSignal) => Promise<void>;

/** Does work that nobody waits for, one piece at a time, until it is closed. */
export class Background {
  readonly #waiting = new Map<string, Work>();
  readonly #closing = new AbortController();
  #running: Promise<void> | undefined;

  /** @param name Work of a name that waits already is not added again. */
  add(name: string, work: Work): void {
    if (this.#closing.signal.aborted || this.#waiting.has(name) || this.#waiting.size >= MAX_WAITING) return;
    this.#waiting.set(name, work);
    this.#running ??= this.#run();
  }

  /** Begins nothing more, and waits for what is under way. */
  async close(): Promise<void> {
    this.#closing.abort();
    await this.#running;
  }

  async #run(): Promise<void> {
    const { signal } = this.#closing;
    for (const [name, work] of this.#waiting) {
      // What failed is tried again after the next write of its session: there are two weeks for it.
      if (!signal.aborted) await work(signal).catch(() => undefined);
      this.#waiting.delete(name);
    }
    this.#running = undefined;
  }
}

/** Waits, but no longer than until the signal is aborted. */
export async function rest(ms: number, signal: AbortSignal): Promise<void> {
  await pause(ms, undefined, { signal, ref: false }).catch(() => undefined);
}
