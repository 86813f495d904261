import { isMessage, isResponse, type JsonRpcResponse } from '../protocol/json-rpc.ts';
import { settledBy } from './markers.ts';
import type { ClientConnection, SseOptions } from './sse.ts';

/**
 * A connection whose client reads JSON only: it waits for the responses of its POST and gets them
 * in one body. All other messages of the stream stay in the log.
 */
export class JsonConnection implements ClientConnection {
  readonly over: Promise<void>;
  /** Resolves when the connection is closed, with the responses that have arrived. */
  readonly responses: Promise<readonly JsonRpcResponse[]>;
  readonly #options: SseOptions;
  readonly #arrived: JsonRpcResponse[] = [];
  readonly #timer: NodeJS.Timeout | undefined;
  readonly #resolveOver: () => void;
  #closed = false;

  constructor(options: SseOptions) {
    this.#options = options;
    ({ promise: this.over, resolve: this.#resolveOver } = Promise.withResolvers<void>());
    this.responses = this.over.then(() => this.#arrived);
    const { keepAliveMs, onIdle } = options;
    // A JSON body has no comments. But the session of a long call must not expire.
    if (keepAliveMs > 0) this.#timer = setInterval(() => onIdle?.(), keepAliveMs).unref();
    void this.#collect();
  }

  push(message: unknown): boolean {
    if (this.#closed) return false;
    this.#add(message);
    const settles = settledBy(message);
    if (settles !== undefined && this.#options.settlement?.add(settles) === true) this.close();
    return true;
  }

  close(): void {
    this.#finish();
  }

  async #collect(): Promise<void> {
    const { events, onSent } = this.#options;
    if (events === undefined) return;
    try {
      for await (const event of events) {
        if (this.#closed) return;
        this.#add(event.message);
        onSent?.(event);
      }
      this.#finish();
    } catch (error) {
      this.#finish(error);
    }
  }

  #add(message: unknown): void {
    if (isMessage(message) && isResponse(message)) this.#arrived.push(message);
  }

  #finish(error?: unknown): void {
    if (this.#closed) return;
    this.#closed = true;
    clearInterval(this.#timer);
    this.#options.onClosed(error);
    this.#resolveOver();
  }
}
