import type { SessionStore, StateSchemas } from '@mcp-session/core';
import type { ServerEvent, ServerEventBus } from '@modelcontextprotocol/server';
import { StoreEventBus, type StoreEventBusOptions } from '../cluster/event-bus.ts';

/**
 * Makes an event bus for the SDK's `createMcpHandler` over a store, so that `subscriptions/listen` on one node hears what another publishes. Nothing is
 * replayed: whoever listens hears what is published from then on. While the store fails nothing is heard, and afterwards what was published meanwhile.
 *
 * `createDualEraHandler` lets a listener wait until its bus hears the other nodes. With the SDK's `createMcpHandler` alone, what others publish in the first
 * moments of a node's first listener can be missed.
 */
export function createStoreEventBus<S extends StateSchemas = StateSchemas>(
  store: SessionStore<S>,
  options: StoreEventBusOptions = {},
): ServerEventBus & { settled(): Promise<void> } {
  return new StoreEventBus<ServerEvent>(store, options);
}
