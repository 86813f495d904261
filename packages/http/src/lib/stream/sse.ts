import { FIRST_POLLING_REVISION } from '../protocol/revisions.ts';
import { isMessage, type JsonRpcMessage } from '../protocol/json-rpc.ts';
import { settledBy } from './markers.ts';
import { restartFrame, type RetryOptions } from './retry.ts';
import type { Settlement } from './settlement.ts';

export const SSE_HEADERS = {
  'content-type': 'text/event-stream',
  'cache-control': 'no-cache, no-transform',
  'x-accel-buffering': 'no',
};

/** A message on its way to the client, with its event id; `undefined`: it could not be stored. */
export interface OutgoingEvent {
  readonly id: string | undefined;
  readonly message: JsonRpcMessage;
  /**
   * When it was stored, in Unix milliseconds; `undefined`: it could not be, or that was before its
   * client asked for the connection.
   */
  readonly storedAt?: number | undefined;
}

/** A connection that waits for messages of a stream. */
export interface ClientConnection {
  /** Resolves when the connection is closed. */
  readonly over: Promise<void>;
  /**
   * Sends a message that could not be stored. A marker is not sent, but settles its request.
   *
   * @param always Whether to send it also to a client that has not read much of what was sent
   * before.
   * @returns Whether it was sent; `false` if the connection is closed.
   */
  push(message: unknown, always: boolean): boolean;
  /**
   * Closes the connection.
   *
   * @param lastFrame What a stream ends with. Default: nothing.
   */
  close(lastFrame?: string): void;
}

/** The parts of an SSE connection. */
export interface SseOptions {
  /** The first frames. */
  readonly opening: string;
  /**
   * The messages. The next one is requested only when the client has taken the last one. The return
   * value is the last frame. `undefined`: all messages are pushed.
   */
  readonly events: AsyncGenerator<OutgoingEvent, string, undefined> | undefined;
  /** How often a comment is sent if there is nothing else to send, in milliseconds; 0: never. */
  readonly keepAliveMs: number;
  /**
   * The requests that are answered on the connection: it ends when all are settled. Default: none.
   */
  readonly settlement?: Settlement | undefined;
  /** Is called with each message of `events` that was sent. */
  readonly onSent?: (event: OutgoingEvent) => void;
  /** Is called when a comment is sent. */
  readonly onIdle?: () => void;
  /**
   * Is called once, when the connection is closed. `error` is the one that ended `events`, if any.
   */
  readonly onClosed: (error?: unknown) => void;
}

type Next =
  | { readonly result: IteratorResult<OutgoingEvent, string> }
  | { readonly error: unknown }
  | 'idle'
  | 'closed';

/** How many bytes may wait for a client that is pushed another message. */
const MAX_PUSHED_BYTES = 65_536;

const KEEP_ALIVE = ': keep-alive\n\n';
const encoder = new TextEncoder();

/** The frame of a message. JSON has no raw line breaks, so one `data` line holds it. */
export function messageFrame({ id, message }: OutgoingEvent): string {
  return `event: message\n${id === undefined ? '' : `id: ${id}\n`}data: ${JSON.stringify(message)}\n\n`;
}

/**
 * A frame that gives the client a cursor. Only clients of 2025-11-25 and later accept empty data.
 */
export function cursorFrame(id: string, emptyData: boolean): string {
  return emptyData ? `id: ${id}\ndata: \n\n` : `id: ${id}\n\n`;
}

/**
 * The first frames of a connection: the cursor after which it sends, if there is one, and when to
 * reconnect if it breaks.
 */
export function openingFrames(cursor: string | undefined, revision: string, options: RetryOptions): string {
  const retry = restartFrame(options);
  return cursor === undefined ? retry : cursorFrame(cursor, revision >= FIRST_POLLING_REVISION) + retry;
}

/**
 * One SSE connection. It pulls its messages: at most one is in memory for a client that does not
 * read.
 *
 * A pull waits for the first of three things: a message, the keep-alive interval, or the end. Each
 * has one consequence in `#pull`.
 */
export class SseConnection implements ClientConnection {
  readonly body: ReadableStream<Uint8Array>;
  readonly over: Promise<void>;
  readonly #options: SseOptions;
  #controller: ReadableStreamDefaultController<Uint8Array> | undefined;
  #pending = false;
  #arrived: Exclude<Next, string> | undefined;
  #wake: ((next: 'idle' | 'closed' | 'arrived') => void) | undefined;
  #closed = false;
  /** When the client last took something, by `performance.now()`. */
  #takenAt = performance.now();
  readonly #resolveOver: () => void;

  constructor(options: SseOptions) {
    this.#options = options;
    ({ promise: this.over, resolve: this.#resolveOver } = Promise.withResolvers<void>());
    this.body = new ReadableStream<Uint8Array>(
      {
        start: (controller) => {
          this.#controller = controller;
          if (options.opening !== '') controller.enqueue(encoder.encode(options.opening));
        },
        pull: () => this.#pull(),
        cancel: () => this.#finish(),
      },
      new ByteLengthQueuingStrategy({ highWaterMark: 0 }),
    );
  }

  push(message: unknown, always: boolean): boolean {
    const isBehind = (this.#controller?.desiredSize ?? 0) < -MAX_PUSHED_BYTES;
    if (this.#closed || (isBehind && !always)) return false;
    if (isMessage(message)) this.#write(messageFrame({ id: undefined, message }));
    const settles = settledBy(message);
    if (settles !== undefined && this.#options.settlement?.add(settles) === true) this.close();
    return true;
  }

  /** For how long something has waited for a client that takes nothing, in milliseconds. */
  get stalledMs(): number {
    return (this.#controller?.desiredSize ?? 0) < 0 ? performance.now() - this.#takenAt : 0;
  }

  /** Sends a comment now, so that it shows whether the client takes it. */
  probe(): void {
    if (!this.#closed) this.#write(KEEP_ALIVE);
  }

  /** Breaks the connection off: its client is gone. */
  break(): void {
    if (this.#closed) return;
    this.#controller?.error(new Error('Client takes nothing'));
    this.#finish();
  }

  /** Closes the connection with a last frame. The client may reconnect. */
  close(lastFrame = ''): void {
    if (this.#closed) return;
    if (lastFrame !== '') this.#controller?.enqueue(encoder.encode(lastFrame));
    this.#controller?.close();
    this.#finish();
  }

  async #pull(): Promise<void> {
    this.#takenAt = performance.now();
    const next = await this.#next();
    if (this.#closed || next === 'closed') return;
    if (next === 'idle') {
      this.#options.onIdle?.();
      this.#write(KEEP_ALIVE);
    } else if ('error' in next) {
      // An abrupt end: the client reconnects with its cursor, and the status tells it what is
      // wrong.
      this.#controller?.error(next.error);
      this.#finish(next.error);
    } else if (next.result.done === true) {
      this.close(next.result.value);
    } else {
      this.#write(messageFrame(next.result.value));
      this.#options.onSent?.(next.result.value);
    }
  }

  async #next(): Promise<Next> {
    void this.#request();
    if (this.#arrived === undefined) {
      let timer: NodeJS.Timeout | undefined;
      const woken = await new Promise<'idle' | 'closed' | 'arrived'>((resolve) => {
        this.#wake = resolve;
        if (this.#options.keepAliveMs > 0) timer = setTimeout(() => resolve('idle'), this.#options.keepAliveMs).unref();
      });
      clearTimeout(timer);
      this.#wake = undefined;
      if (woken !== 'arrived') return woken;
    }
    const next = this.#arrived;
    this.#arrived = undefined;
    return next ?? 'closed';
  }

  async #request(): Promise<void> {
    const { events } = this.#options;
    if (events === undefined || this.#pending || this.#arrived !== undefined) return;
    this.#pending = true;
    try {
      this.#arrived = { result: await events.next() };
    } catch (error) {
      this.#arrived = { error };
    }
    this.#pending = false;
    this.#wake?.('arrived');
  }

  #write(frame: string): void {
    this.#controller?.enqueue(encoder.encode(frame));
  }

  #finish(error?: unknown): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#wake?.('closed');
    this.#options.onClosed(error);
    this.#resolveOver();
    // onClosed has ended a reader that waits. A generator that stands at a message must be
    // returned.
    void this.#letGo();
  }

  async #letGo(): Promise<void> {
    try {
      await this.#options.events?.return('');
    } catch {
      // Its failure was reported before.
    }
  }
}
