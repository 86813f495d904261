import { SessionError } from '@mcp-session/core';
import { setTimeout as pause } from 'node:timers/promises';
import { isCancellation, isMessage, isRequest, type JsonRpcMessage, type RequestId } from '../protocol/json-rpc.ts';
import { appendWithRetry, canRetry, RETRY_DELAYS_MS } from '../store/append-with-retry.ts';
import type { StoreHealth } from '../store/health.ts';
import type { AnySession } from '../store/session-handle.ts';
import type { Connections } from './connections.ts';
import { closedMarker, openedMarker, settledBy } from './markers.ts';
import { notStored, settleLater } from './settle-later.ts';
import type { OutgoingEvent } from './sse.ts';

/**
 * How long a stream waits for its first message, in milliseconds. Most calls are answered sooner.
 */
const OPEN_AFTER_MS = 10;
/** How many messages may wait for the stream to begin, or for the connection. */
const MAX_PENDING = 10_000;

export interface PostResponseOptions {
  readonly session: AnySession;
  readonly streamId: string;
  readonly sinceSeq: number;
  /** The requests that are answered on the stream, and the scopes of the client's token. */
  readonly ids: readonly RequestId[];
  readonly scopes: readonly string[];
  readonly health: StoreHealth;
  /** Is called before the stream begins, unless its first message is its only one. */
  readonly onStreaming: () => void;
  /** Is called with the id of each event of the stream that was stored. */
  readonly onAppended: (eventId: string) => void;
  /**
   * Sends a request of the server, or the cancellation of one, if the client of the stream does not
   * see it there. Default: the client does.
   */
  readonly sendAside?: ((message: JsonRpcMessage) => Promise<void>) | undefined;
}

interface PendingAppend {
  readonly message: unknown;
  readonly retry: boolean;
  readonly resolve: () => void;
  readonly reject: (error: unknown) => void;
}

/**
 * The stream of one POST, where its requests run (docs/decisions/013-every-get-from-the-log.md).
 *
 * The stream begins in the log together with its first message, in one commit, or after 10 ms
 * without a message. Nothing of the HTTP response is sent before. If the store fails and requests
 * are served without it, the stream is not in the log and has no cursors.
 *
 * | state      | meaning                                | `append`                | next                        |
 * | ---------- | -------------------------------------- | ----------------------- | --------------------------- |
 * | `waiting`  | nothing is stored                      | waits; opens the stream | a message or 10 ms: opening |
 * | `opening`  | the beginning is being stored          | waits                   | stored, unstored or failed  |
 * | `stored`   | the stream is in the log               | stores                  |                             |
 * | `unstored` | the store failed; done without it      | sends without an id     |                             |
 * | `failed`   | the store failed                       | throws                  |                             |
 */
export class PostResponse {
  readonly streamId: string;
  readonly sinceSeq: number;
  /**
   * Resolves when the response can begin: with the client's first cursor, or with `undefined` if
   * the stream is not stored. Rejects in the state `failed`.
   */
  readonly begun: Promise<string | undefined>;
  readonly #options: PostResponseOptions;
  readonly #begin: PromiseWithResolvers<string | undefined> = Promise.withResolvers<string | undefined>();
  readonly #timer: NodeJS.Timeout;
  readonly #pending: PendingAppend[] = [];
  #state: 'waiting' | 'opening' | 'stored' | 'unstored' | 'failed' = 'waiting';
  #failure: unknown;
  #complete: OutgoingEvent | 'nothing' | undefined;
  /** Messages and markers that could not be stored and wait for the connection. */
  readonly #unsent: unknown[] = [];
  #connections: Connections | undefined;

  constructor(options: PostResponseOptions) {
    this.#options = options;
    ({ streamId: this.streamId, sinceSeq: this.sinceSeq } = options);
    this.begun = this.#begin.promise;
    // The code that awaits it may have failed before.
    this.begun.catch(() => undefined);
    this.#timer = setTimeout(() => this.open(), OPEN_AFTER_MS).unref();
  }

  /**
   * The response if it is all there is to send; `nothing` if the request was cancelled; `undefined`
   * if more follows.
   */
  get complete(): OutgoingEvent | 'nothing' | undefined {
    return this.#complete;
  }

  /** Whether this error kept the stream from beginning. */
  failedWith(error: unknown): boolean {
    return this.#state === 'failed' && this.#failure === error;
  }

  async append(message: unknown, retry = false): Promise<void> {
    const { sendAside } = this.#options;
    if (sendAside !== undefined && isMessage(message) && (isRequest(message) || isCancellation(message))) {
      return sendAside(message);
    }
    if (this.#state === 'stored') return this.#store(message, retry);
    if (this.#state === 'unstored') return this.#sendUnstored(message, this.#failure);
    if (this.#state === 'failed') throw this.#failure;
    if (this.#pending.length >= MAX_PENDING) {
      throw new SessionError('STORE_BUSY', `${MAX_PENDING} messages of the request wait for the database already`, {
        retryable: true,
        scope: 'session',
      });
    }
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    this.#pending.push({ message, retry, resolve, reject });
    this.open();
    return promise;
  }

  /** Begins the stream now. */
  open(): void {
    if (this.#state !== 'waiting') return;
    this.#state = 'opening';
    clearTimeout(this.#timer);
    if (!this.#isWhole(this.#pending)) this.#options.onStreaming();
    void this.#open();
  }

  /** Closes the stream's connections on all nodes, if the client can resume it. */
  async pause(): Promise<void> {
    if (this.#state !== 'unstored' && !this.#options.health.degraded) await this.append(closedMarker(), true);
  }

  /** Stores an error or a marker instead of a response, once the store works again. */
  settleLater(message: unknown): void {
    // Nobody has a cursor of a stream that is not in the log.
    if (this.#state !== 'unstored') void settleLater(this.#options.session, this.streamId, message);
  }

  /**
   * Sends a response that is not in the log, without an event id: the client must not believe that
   * it can fetch it again. The reader of the log never sees it, so the connection counts it.
   */
  push(response: JsonRpcMessage): void {
    this.#push(response);
    this.open();
  }

  /** The response has begun on these connections. */
  attach(connections: Connections): void {
    this.#connections = connections;
    for (const message of this.#unsent.splice(0)) connections.push(this.streamId, message, true);
  }

  async #open(): Promise<void> {
    try {
      const instead = (error: unknown): undefined => this.#beginUnstored(error);
      this.#begin.resolve(await this.#options.health.write(() => this.#storeFirst(), instead));
    } catch (error) {
      this.#failure = error;
      this.#state = 'failed';
      for (const { reject } of this.#pending.splice(0)) reject(error);
      this.#begin.reject(error);
    }
  }

  /** Stores the beginning and the pending messages in one commit. Returns the first cursor. */
  async #storeFirst(): Promise<string> {
    const { session, ids, scopes, health, onAppended } = this.#options;
    for (let attempt = 0; ; attempt++) {
      const batch = [...this.#pending];
      // Calls of one turn of the event loop are one commit.
      const [cursor, ...stored] = await Promise.allSettled([
        session.events.append(this.streamId, openedMarker(ids, scopes)),
        ...batch.map(({ message }) => session.events.append(this.streamId, message)),
      ]);
      for (const each of [cursor, ...stored]) if (each.status === 'fulfilled') onAppended(each.value);
      if (cursor.status === 'fulfilled') {
        this.#begun(batch, stored);
        return cursor.value;
      }
      const delayMs = RETRY_DELAYS_MS[attempt];
      // If a message was stored and the beginning was not, a later beginning would hide it from the
      // client.
      const nothingHappened = [cursor, ...stored].every((each) => each.status === 'rejected' && canRetry(each.reason));
      if (delayMs === undefined || !nothingHappened || health.writesFail) throw cursor.reason;
      await pause(delayMs);
    }
  }

  #begun(batch: readonly PendingAppend[], stored: readonly PromiseSettledResult<string>[]): void {
    const { health } = this.#options;
    this.#state = 'stored';
    const later = this.#pending.splice(0).slice(batch.length);
    for (const [index, { message, retry, resolve, reject }] of batch.entries()) {
      const outcome = stored[index];
      const reason: unknown = outcome?.status === 'rejected' ? outcome.reason : undefined;
      if (outcome?.status === 'fulfilled') {
        if (this.#isWhole(batch)) this.#complete = isMessage(message) ? { id: outcome.value, message } : 'nothing';
        resolve();
      } else if (retry && canRetry(reason)) this.#store(message, true).then(resolve, reject);
      else health.without(reason, () => this.#sendUnstored(message, reason)).then(resolve, reject);
    }
    for (const { message, retry, resolve, reject } of later) this.#store(message, retry).then(resolve, reject);
  }

  #beginUnstored(error: unknown): undefined {
    this.#state = 'unstored';
    this.#failure = error;
    const pending = this.#pending.splice(0);
    const [first] = pending;
    if (first !== undefined && this.#isWhole(pending)) {
      this.#complete = isMessage(first.message) ? { id: undefined, message: first.message } : 'nothing';
      for (const { resolve } of pending) resolve();
    } else for (const { message, resolve, reject } of pending) this.#sendUnstored(message, error).then(resolve, reject);
  }

  /** Whether the first message is all that the stream will ever hold. */
  #isWhole([first]: readonly PendingAppend[]): boolean {
    return this.#options.ids.length === 1 && first !== undefined && settledBy(first.message) !== undefined;
  }

  async #store(message: unknown, retry: boolean): Promise<void> {
    const { session, health, onAppended } = this.#options;
    const id = await health.write(
      () => (retry ? appendWithRetry(session, this.streamId, message) : session.events.append(this.streamId, message)),
      (error) => this.#sendUnstored(message, error),
    );
    if (id !== undefined) onAppended(id);
  }

  /** Sends a message that is not in the log. @throws `error` if the client is too far behind. */
  async #sendUnstored(message: unknown, error: unknown): Promise<undefined> {
    const settled = settledBy(message);
    if (settled !== undefined) this.settleLater(isMessage(message) ? notStored(settled) : message);
    if (!this.#push(message) && isMessage(message)) throw error;
  }

  /** Sends a message without storing it, once there is a connection. @returns Whether it is. */
  #push(message: unknown): boolean {
    const isLast = settledBy(message) !== undefined;
    if (this.#connections !== undefined) return this.#connections.push(this.streamId, message, isLast);
    if (this.#unsent.length >= MAX_PENDING && !isLast) return false;
    this.#unsent.push(message);
    return true;
  }
}
