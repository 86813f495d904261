import { isNotification, isResponse, type JsonRpcMessage, type JsonRpcResponse } from '../protocol/json-rpc.ts';
import type { TransportLike } from './sdk-adapter.ts';

export interface OneShotEvents {
  readonly onResponse: (response: JsonRpcResponse) => void;
  /** The server sends a notification, of one of the requests or of none. */
  readonly onNotification: (message: JsonRpcMessage) => void;
  /** The transport was closed, by either side. Called once. */
  readonly onClosed: () => void;
}

/**
 * The `Transport` of either SDK line for the requests of one POST, without a session. Nothing is
 * stored, and the client cannot be asked anything: its response would find no session.
 */
export class OneShotTransport implements TransportLike {
  onmessage?: ((message: JsonRpcMessage, extra?: unknown) => void) | undefined;
  onclose?: (() => void) | undefined;
  onerror?: ((error: Error) => void) | undefined;
  scopeResolver: unknown;
  readonly #events: OneShotEvents;
  #closed = false;

  constructor(events: OneShotEvents) {
    this.#events = events;
  }

  async start(): Promise<void> {
    // Nothing to start: all messages are there.
  }

  async close(): Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
    try {
      this.onclose?.();
    } finally {
      this.#events.onClosed();
    }
  }

  /** Called by SDK v2 while it connects. */
  setScopeChallengeResolver(resolver: unknown): void {
    this.scopeResolver = resolver;
  }

  /** Called by the server. */
  async send(message: JsonRpcMessage): Promise<void> {
    if (this.#closed) throw new Error('Transport is closed');
    if (isResponse(message)) this.#events.onResponse(message);
    else if (isNotification(message)) this.#events.onNotification(message);
    else throw new Error('Client cannot be asked: its request has no session');
  }
}
