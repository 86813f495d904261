import type { SessionEvent } from '@mcp-session/core';
import { setTimeout as pause } from 'node:timers/promises';
import { sessionNotFound } from '../protocol/http-errors.ts';
import type { StoreHealth } from '../store/health.ts';
import type { AnySession } from '../store/session-handle.ts';

/**
 * The delay before a failed read is repeated while requests are served without the store, in
 * milliseconds.
 */
const READ_AGAIN_MS = 500;

/** What a reader reads. */
export interface StreamReaderOptions {
  readonly streamId: string;
  /** Id of the event to start after; `undefined`: start at the oldest event that is kept. */
  readonly after: string | undefined;
  /** Decides whether the reader fails with the store, or reads on when the store works again. */
  readonly health: Pick<StoreHealth, 'without'>;
  readonly onError: (error: unknown) => void;
}

/**
 * The one reader of a stream's connection. It checks the cursor, shows what is stored, and then
 * follows the log, all with the same reads.
 *
 * `peek` comes before the HTTP response begins: a cursor that cannot be followed fails there.
 * `next` comes afterwards, at the pace of the client.
 */
export class StreamReader {
  readonly #session: AnySession;
  readonly #options: StreamReaderOptions;
  readonly #closed = new AbortController();
  readonly #caughtUp = Promise.withResolvers<undefined>();
  #after: string | undefined;
  #tail: AsyncGenerator<SessionEvent, void, undefined>;
  /** The event that was asked for and not taken yet. */
  #pending: Promise<IteratorResult<SessionEvent, void>> | undefined;

  constructor(session: AnySession, options: StreamReaderOptions) {
    this.#session = session;
    this.#options = options;
    this.#after = options.after;
    this.#tail = this.#open();
  }

  /** Resolves when everything that was stored has been taken for the first time. */
  get caughtUp(): Promise<void> {
    return this.#caughtUp.promise;
  }

  get closed(): AbortSignal {
    return this.#closed.signal;
  }

  /**
   * Returns the next event without taking it, or `undefined` where no further event is stored yet.
   *
   * @throws SessionError `INVALID_CURSOR`, `EVENTS_TRIMMED`, `STORE_…`. HttpError 404 where the
   * session has ended.
   */
  async peek(): Promise<SessionEvent | undefined> {
    const pending = this.#request();
    const next = await Promise.race([pending, this.#caughtUp.promise]);
    if (next?.done === true && !this.#closed.signal.aborted) throw sessionNotFound();
    return next?.value ?? undefined;
  }

  /**
   * Takes the next event and waits for it if need be.
   *
   * @returns `undefined` after the end of the session or of the reader.
   */
  async next(): Promise<SessionEvent | undefined> {
    for (;;) {
      try {
        const { value } = await this.#request();
        this.#pending = undefined;
        if (value !== undefined) this.#after = value.id;
        return value ?? undefined;
      } catch (error) {
        this.#pending = undefined;
        await this.#options.health.without(error, () => this.#retryLater(error));
      }
    }
  }

  async #retryLater(error: unknown): Promise<void> {
    this.#options.onError(error);
    await pause(READ_AGAIN_MS, undefined, { signal: this.closed, ref: false }).catch(() => undefined);
    this.#tail = this.#open();
  }

  /** Ends the reader: a `next` that waits resolves with `undefined`. */
  close(): void {
    this.#closed.abort();
    // A tail that stands at an event does not hear the signal.
    this.#tail.return().catch(() => undefined);
  }

  #request(): Promise<IteratorResult<SessionEvent, void>> {
    if (this.#pending === undefined) {
      this.#pending = this.#tail.next();
      // `next` reports the failure, and may come later than it.
      this.#pending.catch(() => undefined);
    }
    return this.#pending;
  }

  #open(): AsyncGenerator<SessionEvent, void, undefined> {
    return this.#session.events.tail({
      streamId: this.#options.streamId,
      after: this.#after,
      signal: this.#closed.signal,
      onCaughtUp: () => this.#caughtUp.resolve(undefined),
    });
  }
}
