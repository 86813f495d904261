import type { ErrorListener } from '@mcp-session/core/backend';
import { setTimeout as pause } from 'node:timers/promises';

/**
 * Maximum number of waiting pieces of work. The next write of a session adds rejected work again.
 */
const MAX_WAITING = 1_000;

/** A piece of work that stops soon after `signal` is aborted. */
export type Work = (signal: AbortSignal) => Promise<void>;

/** Does work in the background, one piece at a time, until it is closed. */
export class Background {
  readonly #onError: ErrorListener;
  readonly #waiting = new Map<string, Work>();
  readonly #closing = new AbortController();
  #running: Promise<void> | undefined;

  constructor(onError: ErrorListener) {
    this.#onError = onError;
  }

  /** @param name Work is not added while work of the same name waits. */
  add(name: string, work: Work): void {
    if (this.#closing.signal.aborted || this.#waiting.has(name) || this.#waiting.size >= MAX_WAITING) return;
    this.#waiting.set(name, work);
    this.#running ??= this.#run();
  }

  /** Starts no further work, and waits for the running piece. */
  async close(): Promise<void> {
    this.#closing.abort();
    await this.#running;
  }

  async #run(): Promise<void> {
    const { signal } = this.#closing;
    for (const [name, work] of this.#waiting) {
      // The next write of the session adds failed work again.
      if (!signal.aborted) await work(signal).catch((error: unknown) => this.#onError(error, 'background work'));
      this.#waiting.delete(name);
    }
    this.#running = undefined;
  }
}

/** Pauses until the time is over or the signal is aborted. */
export async function rest(ms: number, signal: AbortSignal): Promise<void> {
  await pause(ms, undefined, { signal, ref: false }).catch(() => undefined);
}
