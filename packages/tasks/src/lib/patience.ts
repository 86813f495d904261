import { SessionError } from '@mcp-session/core';
import { setTimeout as pause } from 'node:timers/promises';

/** The delays before a write is repeated, in milliseconds. They double. */
const FIRST_DELAY_MS = 50;
const MAX_DELAY_MS = 1_000;

/**
 * Waits for a store that fails for a while: repeats a write until the store answers. The write must
 * change nothing if it was made already, since a failed one may have been stored.
 *
 * @param onError Called with the first failure.
 * @param signal Ends the wait with its reason. Default: none.
 * @throws What is no failure that passes, such as `STORE_CLOSED` or `TASK_LOST`.
 */
export async function patiently(
  write: () => Promise<void>,
  onError: (error: unknown) => void,
  signal?: AbortSignal,
): Promise<void> {
  for (let delayMs = FIRST_DELAY_MS; ; delayMs = Math.min(2 * delayMs, MAX_DELAY_MS)) {
    try {
      return await write();
    } catch (error) {
      if (!(error instanceof SessionError) || !error.retryable) throw error;
      if (delayMs === FIRST_DELAY_MS) onError(error);
    }
    // What the pause throws is replaced by the reason.
    await pause(delayMs, undefined, { ...(signal && { signal }) }).catch(() => undefined);
    signal?.throwIfAborted();
  }
}

/** Writes of one worker. They are made one after the other, in the order of their calls. */
export class WorkerWrites {
  readonly #onError: (error: unknown) => void;
  readonly #signal: AbortSignal;
  #last: Promise<void> = Promise.resolve();

  constructor(onError: (error: unknown) => void, signal: AbortSignal) {
    this.#onError = onError;
    this.#signal = signal;
  }

  /** Makes a write, which waits for a store that fails for a while. */
  async add(write: () => Promise<void>): Promise<void> {
    return this.once(async () => patiently(write, this.#onError, this.#signal));
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
