// An MCP server in a process of its own: with durable sessions, or with the plain transport of an
// SDK and its sessions in a Map.
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { randomUUID } from 'node:crypto';
import { toNodeHandler, type FetchHandler } from '@mcp-session/http/node';
import { createSessionHandler as createV1 } from '@mcp-session/http/v1';
import { createSessionHandler as createV2 } from '@mcp-session/http/v2';
import { McpServer as V1Server } from '@modelcontextprotocol/sdk/server/mcp.js';
import { WebStandardStreamableHTTPServerTransport as V1Transport } from '@modelcontextprotocol/sdk/server/webStandardStreamableHttp.js';
import {
  McpServer as V2Server,
  WebStandardStreamableHTTPServerTransport as V2Transport,
} from '@modelcontextprotocol/server';
import { z } from 'zod';
import { openStore, type HttpPlan } from './lib/http-plan.ts';
import { plainEvents } from './lib/plain-events.ts';

const plan = JSON.parse(process.argv[2] ?? '') as HttpPlan;
const info = { name: 'bench', version: '1.0.0' };
const inputSchema = z.object({ text: z.string() });
const echo = ({ text }: { text: string }) => ({ content: [{ type: 'text' as const, text }] });

const v1 = (): V1Server => {
  const server = new V1Server(info);
  server.registerTool('echo', { inputSchema: inputSchema.shape }, echo);
  return server;
};
const v2 = (): V2Server => {
  const server = new V2Server(info);
  server.registerTool('echo', { inputSchema }, echo);
  return server;
};

interface PlainTransport {
  readonly handleRequest: (request: Request) => Promise<Response>;
}

/** A transport for each session, found by its id, as in the SDKs' own examples. */
function plain(begin: (onsessioninitialized: (id: string) => void) => Promise<PlainTransport>): FetchHandler<unknown> {
  const sessions = new Map<string, PlainTransport>();
  return {
    fetch: async (request) => {
      const id = request.headers.get('mcp-session-id');
      if (id !== null) return (await sessions.get(id)?.handleRequest(request)) ?? new Response(null, { status: 404 });
      const transport = await begin((begun) => sessions.set(begun, transport));
      return transport.handleRequest(request);
    },
  };
}

async function handlerOf(): Promise<FetchHandler<never>> {
  if (plan.by === 'ours') {
    const store = await openStore(plan);
    return plan.sdk === 'v1'
      ? createV1({ store, createServer: v1, maxLocalSessions: 100_000 })
      : createV2({ store, createServer: v2, maxLocalSessions: 100_000 });
  }
  // One more event, which the client has seen.
  const events = () => (plan.missed === undefined ? {} : { eventStore: plainEvents(plan.missed + 1) });
  return plan.sdk === 'v1'
    ? plain(async (onsessioninitialized) => {
        const transport = new V1Transport({ sessionIdGenerator: randomUUID, onsessioninitialized, ...events() });
        await v1().connect(transport);
        return transport;
      })
    : plain(async (onsessioninitialized) => {
        const transport = new V2Transport({ sessionIdGenerator: randomUUID, onsessioninitialized, ...events() });
        await v2().connect(transport);
        return transport;
      });
}

const listener = toNodeHandler(await handlerOf());
const server = createServer((request, response) => void listener(request, response));
// The other sides' clients are idle for longer than the default keep-alive timeout of five seconds.
server.keepAliveTimeout = 0;
server.listen(0, '127.0.0.1', () => process.send?.((server.address() as AddressInfo).port));
process.on('message', () => {
  for (let pass = 0; pass < 4; pass++) globalThis.gc?.();
  const { heapUsed, external } = process.memoryUsage();
  process.send?.(heapUsed + external);
});
// The parent process has ended.
process.on('disconnect', () => process.exit());
