import type { AuthInfo, McpServerFactory } from '@modelcontextprotocol/server';
import { AsyncLocalStorage } from 'node:async_hooks';
import { Waiters } from '../runtime/waiters.ts';
import type { ServerLike, TransportLike } from '../session/sdk-adapter.ts';
import type { Bounds } from '../stream/bounds.ts';

/** What can be watched of a transport of the SDK. */
export type Exchange = Pick<TransportLike, 'onmessage' | 'onclose' | 'send'>;

/**
 * Tells of the requests that the servers of a factory answer. The SDK serves each request of
 * revision 2026-07-28 with a server and a transport of its own, so a request is seen where the two
 * meet. The SDK answers `subscriptions/listen` without a server.
 */
export function watched(create: McpServerFactory, onConnected: (exchange: Exchange) => void): McpServerFactory {
  return async (context) => {
    const server = await create(context);
    const product: ServerLike = server;
    const connect = product.connect.bind(product);
    product.connect = async (transport) => {
      await connect(transport);
      onConnected(transport);
    };
    return server;
  };
}

/** A request that is about to be answered. */
interface Asked {
  /** Is called once, when it does not count any more. */
  readonly done: () => void;
  /** Whether a server answers it. */
  isTaken: boolean;
}

/** Counts the requests of revision 2026-07-28 that run. */
export class Exchanges {
  readonly #bounds: Bounds;
  readonly #principalOf: (request: Request, authInfo: AuthInfo | undefined) => Promise<string | null>;
  /** The request for which the SDK calls the factory. */
  readonly #asked = new AsyncLocalStorage<Asked>();
  #running = 0;
  readonly #ended = new Waiters();

  constructor(
    bounds: Bounds,
    principalOf: (request: Request, authInfo: AuthInfo | undefined) => Promise<string | null>,
  ) {
    this.#bounds = bounds;
    this.#principalOf = principalOf;
  }

  /** Counts what the servers of a factory answer. */
  of(create: McpServerFactory): McpServerFactory {
    return watched(create, (exchange) => {
      const { onclose } = exchange;
      const asked = this.#asked.getStore();
      if (asked !== undefined) asked.isTaken = true;
      this.#running++;
      exchange.onclose = () => {
        this.#running--;
        asked?.done();
        this.#ended.changed();
        onclose?.();
      };
    });
  }

  /**
   * Answers a request, or takes a notification: that has a server of its own too. It counts until
   * its exchange with a server is over, or until the response if there is no exchange.
   *
   * @throws HttpError 429 if the principal has too many requests, 503 if the process has.
   */
  async serve(request: Request, authInfo: AuthInfo | undefined, answer: () => Promise<Response>): Promise<Response> {
    // The server may do without a principal.
    const principal = await this.#principalOf(request, authInfo).catch(() => null);
    const asked = { done: this.#bounds.beginRequests({ principal }, 1), isTaken: false };
    try {
      return await this.#asked.run(asked, answer);
    } finally {
      if (!asked.isTaken) asked.done();
    }
  }

  /** Resolves when none runs. */
  async answered(): Promise<void> {
    while (this.#running > 0) await this.#ended.next();
  }
}
