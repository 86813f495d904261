import type { SessionStore } from '@mcp-session/core';
import { Client, type McpSubscription, StreamableHTTPClientTransport } from '@modelcontextprotocol/client';
import { McpServer } from '@modelcontextprotocol/server';
import { createDualEraHandler, createStoreEventBus, type DualEraHandler } from '../../src/v2.ts';

export const REVISION = '2026-07-28';

/** A server that says which era it is made for. */
export function makeServer(era: string): McpServer {
  const server = new McpServer(
    { name: 'dual', version: '1.0.0' },
    { capabilities: { tools: { listChanged: true }, resources: { subscribe: true, listChanged: true } } },
  );
  server.registerTool('era', {}, () => ({ content: [{ type: 'text', text: era }] }));
  return server;
}

/** A node of both eras whose listeners hear what the others publish. */
export function dualEraNode(store: SessionStore, onError?: (error: unknown) => void): DualEraHandler {
  const told = onError === undefined ? {} : { onError };
  return createDualEraHandler({
    store,
    ...told,
    createServer: () => makeServer('session'),
    createStatelessServer: () => makeServer('stateless'),
    stateless: { bus: createStoreEventBus(store, { name: 'changes', ...told }) },
  });
}

/** A real client of revision 2026-07-28. */
export interface ModernClient {
  readonly client: Client;
  readonly transport: StreamableHTTPClientTransport;
  /** What it got: `tools`, or the URI of a resource. */
  readonly heard: readonly string[];
  /** Opens a `subscriptions/listen` stream. */
  listen(): Promise<McpSubscription>;
}

/** The resource that `listen` asks about. */
export const WATCHED = 'test:watched';

export async function connectModern(url: URL, options?: { readonly fetch?: typeof fetch }): Promise<ModernClient> {
  const transport = new StreamableHTTPClientTransport(url, options);
  const client = new Client({ name: 'modern', version: '1.0.0' }, { versionNegotiation: { mode: { pin: REVISION } } });
  const heard: string[] = [];
  client.setNotificationHandler('notifications/tools/list_changed', () => void heard.push('tools'));
  client.setNotificationHandler('notifications/resources/updated', ({ params }) => void heard.push(params.uri));
  await client.connect(transport);
  return {
    client,
    transport,
    heard,
    listen: () => client.listen({ toolsListChanged: true, resourceSubscriptions: [WATCHED] }),
  };
}
