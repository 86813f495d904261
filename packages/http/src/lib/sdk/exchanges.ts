import type { McpServerFactory } from '@modelcontextprotocol/server';
import { Waiters } from '../runtime/waiters.ts';
import type { ServerLike, TransportLike } from '../session/sdk-adapter.ts';

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

/** Counts the requests of revision 2026-07-28 that run. */
export class Exchanges {
  #running = 0;
  readonly #ended = new Waiters();

  /** Counts what the servers of a factory answer. */
  of(create: McpServerFactory): McpServerFactory {
    return watched(create, (exchange) => {
      const { onclose } = exchange;
      this.#running++;
      exchange.onclose = () => {
        this.#running--;
        this.#ended.changed();
        onclose?.();
      };
    });
  }

  /** Resolves when none runs. */
  async answered(): Promise<void> {
    while (this.#running > 0) await this.#ended.next();
  }
}
