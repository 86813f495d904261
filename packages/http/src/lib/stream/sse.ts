import { FIRST_POLLING_REVISION } from '../protocol/revisions.ts';
import { isMessage, type JsonRpcMessage } from '../protocol/json-rpc.ts';
import type { Settlement } from './settlement.ts';
import { settledBy } from './markers.ts';

export const SSE_HEADERS = {
  'content-type': 'text/event-stream',
  'cache-control': 'no-cache, no-transform',
  'x-accel-buffering': 'no',
};

/** A message on its way to the client, with the event id that it was stored under; `undefined`: it could not be stored. */
export interface OutgoingEvent {
  readonly id: string | undefined;
  readonly message: JsonRpcMessage;
}

/** What an SSE connection is made of. */
export interface SseOptions {
  /** Frames to begin with. */
  readonly opening: string;
  /**
   * Where the messages come from: asked for the next one only when the client has taken the last. What it returns is the last frame. `undefined`: they
   * are all pushed.
   */
  readonly events: AsyncGenerator<OutgoingEvent, string, undefined> | undefined;
  /** How often a comment is sent while there is nothing else, in milliseconds; 0: never. */
  readonly keepAliveMs: number;
  /** Of the requests that are answered on it: it is over when all are settled. Default: none are. */
  readonly settlement?: Settlement | undefined;
  /** Is called with each of them when it is sent. */
  readonly onSent?: (event: OutgoingEvent) => void;
  /** Is called with each comment. */
  readonly onIdle?: () => void;
  /** Is called once, when the connection is over; `error`: what ended the events, if something did. */
  readonly onClosed: (error?: unknown) => void;
}

type Next =
  | { readonly result: IteratorResult<OutgoingEvent, string> }
  | { readonly error: unknown }
  | 'idle'
  | 'closed';

/** Bytes that may wait for a client when a message is pushed. */
const MAX_PUSHED_BYTES = 65_536;

const KEEP_ALIVE = ': keep-alive\n\n';
const encoder = new TextEncoder();

/** The frame of a message. JSON has no raw line breaks, so one `data` line holds it. */
export function messageFrame({ id, message }: OutgoingEvent): string {
  return `event: message\n${id === undefined ? '' : `id: ${id}\n`}data: ${JSON.stringify(message)}\n\n`;
}

/** A frame that gives the client a cursor. With empty data only for those that know it (2025-11-25 and later). */
export function cursorFrame(id: string, emptyData: boolean): string {
  return emptyData ? `id: ${id}\ndata: \n\n` : `id: ${id}\n\n`;
}

/** A frame that says when to come back. */
export function retryFrame(ms: number): string {
  return `retry: ${ms}\n\n`;
}

/** The frames with which a GET begins: the cursor after which it sends, where there is one, and when to come back. */
export function openingFrames(cursor: string | undefined, revision: string, retryIntervalMs: number): string {
  const retry = retryFrame(retryIntervalMs);
  return cursor === undefined ? retry : cursorFrame(cursor, revision >= FIRST_POLLING_REVISION) + retry;
}

/**
 * One SSE connection. It pulls: at most one message is held for a client that does not read.
 */
export class SseConnection {
  readonly body: ReadableStream<Uint8Array>;
  /** Resolves when the connection is over. */
  readonly over: Promise<void>;
  readonly #options: SseOptions;
  #controller: ReadableStreamDefaultController<Uint8Array> | undefined;
  #pending = false;
  #arrived: Exclude<Next, string> | undefined;
  #wake: ((next: 'idle' | 'closed' | 'arrived') => void) | undefined;
  #closed = false;
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

  /**
   * Sends a message that could not be stored at once, behind what was sent. A mark is taken for what it says.
   *
   * @param always Whether also to a client that is far behind.
   * @returns Whether it was sent: never when the connection is over.
   */
  push(message: unknown, always: boolean): boolean {
    const isBehind = (this.#controller?.desiredSize ?? 0) < -MAX_PUSHED_BYTES;
    if (this.#closed || (isBehind && !always)) return false;
    if (isMessage(message)) this.#write(messageFrame({ id: undefined, message }));
    const settles = settledBy(message);
    if (settles !== undefined && this.#options.settlement?.add(settles) === true) this.close();
    return true;
  }

  /** Ends the connection from our side, with a last frame. The client may come back. */
  close(lastFrame = ''): void {
    if (this.#closed) return;
    if (lastFrame !== '') this.#controller?.enqueue(encoder.encode(lastFrame));
    this.#controller?.close();
    this.#finish();
  }

  async #pull(): Promise<void> {
    const next = await this.#next();
    if (this.#closed || next === 'closed') return;
    if (next === 'idle') {
      this.#options.onIdle?.();
      this.#write(KEEP_ALIVE);
    } else if ('error' in next) {
      // An abrupt end: the client comes back with its cursor and learns by the status what is wrong.
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
    // A tail that waits was aborted by onClosed; one that stands at a message must be told to let go.
    void this.#letGo();
  }

  async #letGo(): Promise<void> {
    try {
      await this.#options.events?.return('');
    } catch {
      // It failed before, and whoever had to know was told.
    }
  }
}
