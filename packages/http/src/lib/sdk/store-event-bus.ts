import type { SessionStore, StateSchemas } from '@mcp-session/core';
import type { ServerEvent, ServerEventBus } from '@modelcontextprotocol/server';
import { StoreEventBus, type StoreEventBusOptions } from '../cluster/event-bus.ts';

/**
 * Makes an event bus for the SDK's `createMcpHandler` over a store, so that `subscriptions/listen`
 * on one node gets what another node publishes. Nothing is replayed: a listener gets events from
 * its start on. While the store fails, no events arrive from other nodes; they arrive when it works
 * again.
 *
 * `createDualEraHandler` delays a listener until its bus follows the other nodes. With the SDK's
 * `createMcpHandler` alone, a node's first listener can miss what others publish in its first
 * moments.
 */
export function createStoreEventBus<S extends StateSchemas = StateSchemas>(
  store: SessionStore<S>,
  options: StoreEventBusOptions = {},
): ServerEventBus & { settled(): Promise<void> } {
  return new StoreEventBus<ServerEvent>(store, options);
}
