import { SessionError } from '@mcp-session/core';
import { setTimeout as pause } from 'node:timers/promises';

/** The delays before a write is repeated, in milliseconds. They double. */
const FIRST_DELAY_MS = 50;
const MAX_DELAY_MS = 1_000;

/** What ends a wait for the store. Default: nothing. */
interface Impatience {
  /** Ends it with its reason. */
  readonly signal?: AbortSignal;
  /** Ends it with one more attempt, and the error of that one. */
  readonly hurry?: AbortSignal;
}

/**
 * Waits for a store that fails for a while: repeats a write until the store answers. The write must
 * change nothing if it was made already, since a failed one may have been stored.
 *
 * @param onError Called with the first failure.
 * @throws What is no failure that passes, such as `STORE_CLOSED` or `TASK_LOST`.
 */
export async function patiently(
  write: () => Promise<void>,
  onError: (error: unknown) => void,
  { signal, hurry }: Impatience = {},
): Promise<void> {
  for (let delayMs = FIRST_DELAY_MS; ; delayMs = Math.min(2 * delayMs, MAX_DELAY_MS)) {
    try {
      return await write();
    } catch (error) {
      if (!(error instanceof SessionError) || !error.retryable || hurry?.aborted === true) throw error;
      if (delayMs === FIRST_DELAY_MS) onError(error);
    }
    const ends = [signal, hurry].filter((end) => end !== undefined);
    // What the pause throws is replaced by the reason.
    await pause(delayMs, undefined, { signal: AbortSignal.any(ends) }).catch(() => undefined);
    signal?.throwIfAborted();
  }
}

/** Writes of one worker. They are made one after the other, in the order of their calls. */
export class WorkerWrites {
  readonly #onError: (error: unknown) => void;
  readonly #signal: AbortSignal;
  #last: Promise<void> = Promise.resolve();
  #hurry = new AbortController();

  constructor(onError: (error: unknown) => void, signal: AbortSignal) {
    this.#onError = onError;
    this.#signal = signal;
  }

  /** Makes a write, which waits for a store that fails for a while. */
  async add(write: () => Promise<void>): Promise<void> {
    const hurry = this.#hurry.signal;
    return this.once(async () => patiently(write, this.#onError, { signal: this.#signal, hurry }));
  }

  /** Lets each write so far have one more attempt. */
  hurry(): void {
    this.#hurry.abort();
    this.#hurry = new AbortController();
  }

  /** Makes a write that the store may fail. */
  async once(write: () => Promise<void>): Promise<void> {
    const made = this.#last.then(write);
    this.#last = made.catch(() => undefined);
    return made;
  }

  /** Resolves when the writes so far are made or have failed. */
  async made(): Promise<void> {
    return this.#last;
  }
}
