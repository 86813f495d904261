import { SessionError } from '@mcp-session/core';
import { setTimeout as pause } from 'node:timers/promises';
import {
  errorResponse,
  INTERNAL_ERROR,
  isMessage,
  type JsonRpcResponse,
  type RequestId,
} from '../protocol/json-rpc.ts';
import type { Connections } from './connections.ts';
import { settleLater } from './settle-later.ts';
import { messageFrame, type OutgoingEvent } from './sse.ts';
import type { StoreHealth } from '../store/health.ts';
import type { AnySession } from '../store/session-handle.ts';
import { appendWithRetry, canRetry, RETRY_DELAYS_MS } from '../store/append-with-retry.ts';
import { closedMarker, openedMarker, settledBy } from './markers.ts';

/** How long a stream waits for its first message before it begins without one, in milliseconds: most calls are answered sooner. */
const OPEN_AFTER_MS = 10;
/** How many messages may wait for the stream to begin. */
const MAX_EARLY = 10_000;

/** Stands where an answer would be that could not be stored. */
export function notStored(id: RequestId): JsonRpcResponse {
  return errorResponse(id, INTERNAL_ERROR, 'Answer could not be stored');
}

export interface PostResponseOptions {
  readonly session: AnySession;
  readonly streamId: string;
  readonly sinceSeq: number;
  /** Ids of the requests that are answered on it. */
  readonly ids: readonly RequestId[];
  readonly health: StoreHealth;
  /** Is called before the stream begins with something else than all that it will ever hold. */
  readonly onLong: () => void;
  /** Is called with the id of each event that it has in the log. */
  readonly onAppended: (eventId: string) => void;
}

interface Early {
  readonly message: unknown;
  readonly again: boolean;
  readonly resolve: () => void;
  readonly reject: (error: unknown) => void;
}

/**
 * The stream of one POST on the node that runs its requests (docs/decisions/025-a-call-is-one-commit.md).
 *
 * It begins in the log together with its first message, in one commit, or a moment after its requests when there is none by then. Nothing
 * of the response goes out before. Where the store fails and requests do without it, the stream is not in the log and has no cursors.
 */
export class PostResponse {
  readonly streamId: string;
  readonly sinceSeq: number;
  /**
   * Resolves when the response can begin: with the client's first cursor, or with `undefined` where the stream is not stored and does
   * without. Rejects where it can be neither.
   */
  readonly begun: Promise<string | undefined>;
  readonly #options: PostResponseOptions;
  readonly #begin: PromiseWithResolvers<string | undefined> = Promise.withResolvers<string | undefined>();
  readonly #timer: NodeJS.Timeout;
  readonly #early: Early[] = [];
  #state: 'waiting' | 'opening' | 'open' | 'unstored' | 'failed' = 'waiting';
  #failure: unknown;
  /** The answer, where the stream has begun with it and is all said. */
  #only: OutgoingEvent | 'nothing' | undefined;
  #lastFrame: string | undefined;
  /** What could not be stored and waits for the connection: messages and marks. */
  readonly #unsent: unknown[] = [];
  #connections: Connections | undefined;

  constructor(options: PostResponseOptions) {
    this.#options = options;
    ({ streamId: this.streamId, sinceSeq: this.sinceSeq } = options);
    this.begun = this.#begin.promise;
    // Whoever answers the POST may have failed before it comes to wait.
    this.begun.catch(() => undefined);
    this.#timer = setTimeout(() => this.open(), OPEN_AFTER_MS).unref();
  }

  /** The answer where it is all that there is to send; `nothing` where the requests were cancelled; `undefined`: there is more to come. */
  get only(): OutgoingEvent | 'nothing' | undefined {
    return this.#only;
  }

  /** With what the response was ended before it began, if it was: all that it still has to send. */
  get lastFrames(): string | undefined {
    if (this.#lastFrame === undefined) return undefined;
    const unsent = this.#unsent.splice(0).filter(isMessage);
    return unsent.map((message) => messageFrame({ id: undefined, message })).join('') + this.#lastFrame;
  }

  /** Whether an error is the one that has kept the stream from beginning. */
  failedWith(error: unknown): boolean {
    return this.#state === 'failed' && this.#failure === error;
  }

  async append(message: unknown, again = false): Promise<void> {
    if (this.#state === 'open') return this.#append(message, again);
    if (this.#state === 'unstored') return this.#sendUnstored(message, this.#failure);
    if (this.#state === 'failed') throw this.#failure;
    if (this.#early.length >= MAX_EARLY)
      throw new SessionError('STORE_BUSY', `${MAX_EARLY} messages of the request wait for the database already`, {
        retryable: true,
        scope: 'session',
      });
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    this.#early.push({ message, again, resolve, reject });
    this.open();
    return promise;
  }

  /** Lets the stream begin now. */
  open(): void {
    if (this.#state !== 'waiting') return;
    this.#state = 'opening';
    clearTimeout(this.#timer);
    if (!this.#isWhole(this.#early)) this.#options.onLong();
    void this.#open();
  }

  /** Ends its connections, on all nodes, by a mark: a client that comes back at once finds that stored. Not where the client could not. */
  async pause(): Promise<void> {
    if (this.#state !== 'unstored' && !this.#options.health.degraded) await this.append(closedMarker(), true);
  }

  /** Leaves an error or a mark in the place of an answer that could not be stored, once that goes. Of a stream that is not in the log nobody has a cursor. */
  settleLater(message: unknown): void {
    if (this.#state !== 'unstored') void settleLater(this.#options.session, this.streamId, message);
  }

  /** Ends the response. */
  close(lastFrame: string): void {
    if (this.#connections !== undefined) {
      this.#connections.close(this.streamId, lastFrame);
      return;
    }
    this.#lastFrame ??= lastFrame;
    this.open();
  }

  /** The response has begun. */
  attach(connections: Connections): void {
    this.#connections = connections;
    for (const message of this.#unsent.splice(0)) connections.push(this.streamId, message, true);
  }

  async #open(): Promise<void> {
    const { health } = this.#options;
    try {
      const cursor = await health.write(() => this.#storeFirst());
      this.#state = 'open';
      // In the same turn, so that what comes next goes behind them.
      for (const { message, again, resolve, reject } of this.#early.splice(0))
        this.#append(message, again).then(resolve, reject);
      this.#begin.resolve(cursor);
    } catch (error) {
      this.#failure = error;
      if (health.canDoWithout(error)) this.#doWithout(error);
      else this.#fail(error);
    }
  }

  #fail(error: unknown): void {
    this.#state = 'failed';
    for (const { reject } of this.#early.splice(0)) reject(error);
    this.#begin.reject(error);
  }

  #doWithout(error: unknown): void {
    this.#state = 'unstored';
    const early = this.#early.splice(0);
    const [first] = early;
    if (first !== undefined && this.#isWhole(early)) {
      this.#only = isMessage(first.message) ? { id: undefined, message: first.message } : 'nothing';
      for (const { resolve } of early) resolve();
    } else for (const { message, resolve, reject } of early) this.#sendUnstored(message, error).then(resolve, reject);
    this.#begin.resolve(undefined);
  }

  /** Stores the beginning and what waits. Both are appended in one turn, which makes them one commit. */
  async #storeFirst(): Promise<string> {
    const { session, ids, health } = this.#options;
    for (let attempt = 0; ; attempt++) {
      const early = [...this.#early];
      const mark = session.events.append(this.streamId, openedMarker(ids));
      const [cursor, ...stored] = await Promise.allSettled([
        mark,
        ...early.map(({ message }) => session.events.append(this.streamId, message)),
      ]);
      for (const each of [cursor, ...stored]) if (each.status === 'fulfilled') this.#options.onAppended(each.value);
      if (cursor.status === 'fulfilled') {
        this.#early.splice(0, early.length);
        for (const [index, each] of early.entries()) this.#settle(each, stored[index], this.#isWhole(early));
        return cursor.value;
      }
      const delayMs = RETRY_DELAYS_MS[attempt];
      // Where a message was stored without the beginning, a beginning behind it would hide it from the client.
      const again = [cursor, ...stored].every((each) => each.status === 'rejected' && canRetry(each.reason));
      if (delayMs === undefined || !again || health.writesFail) throw cursor.reason;
      await pause(delayMs);
    }
  }

  #settle(
    { message, again, resolve, reject }: Early,
    stored: PromiseSettledResult<string> | undefined,
    whole: boolean,
  ): void {
    if (stored?.status === 'fulfilled') {
      if (whole) this.#only = isMessage(message) ? { id: stored.value, message } : 'nothing';
      resolve();
    } else if (again && canRetry(stored?.reason)) this.#append(message, true).then(resolve, reject);
    else if (this.#options.health.canDoWithout(stored?.reason))
      this.#sendUnstored(message, stored?.reason).then(resolve, reject);
    else reject(stored?.reason);
  }

  /** Whether a message is all that the stream will ever hold. */
  #isWhole([first]: readonly Early[]): boolean {
    return this.#options.ids.length === 1 && first !== undefined && settledBy(first.message) !== undefined;
  }

  async #append(message: unknown, again: boolean): Promise<void> {
    const { session, health, onAppended } = this.#options;
    try {
      const id = await health.write(() =>
        again ? appendWithRetry(session, this.streamId, message) : session.events.append(this.streamId, message),
      );
      onAppended(id);
    } catch (error) {
      if (!health.canDoWithout(error)) throw error;
      await this.#sendUnstored(message, error);
    }
  }

  /** Without an event id: the client must not take it for something that it can have again. */
  async #sendUnstored(message: unknown, error: unknown): Promise<void> {
    const settled = settledBy(message);
    if (settled !== undefined) this.settleLater(isMessage(message) ? notStored(settled) : message);
    if (this.#connections === undefined && this.#unsent.length < MAX_EARLY) this.#unsent.push(message);
    else if (this.#connections?.push(this.streamId, message, settled !== undefined) !== true && isMessage(message))
      throw error;
  }
}
