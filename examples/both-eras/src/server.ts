// One server for both eras of the protocol: `node server.ts 3000 sessions.db`. A third argument is
// how many milliseconds a page of a report takes; default: 50.
import type { Session, UserRecord } from '@mcp-session/core';
import { defineHandle, handleErrorResult } from '@mcp-session/core/handles';
import { toNodeHandler } from '@mcp-session/http/node';
import { createDualEraHandler } from '@mcp-session/http/v2';
import { createSqliteStore } from '@mcp-session/sqlite';
import { createTaskStore, type TaskHandle } from '@mcp-session/tasks';
import { serveTasks } from '@mcp-session/tasks/v2';
import { type CallToolResult, McpServer } from '@modelcontextprotocol/server';
import { createServer as createHttpServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { setTimeout as pause } from 'node:timers/promises';
import { z } from 'zod';

const [port = '3000', path = 'sessions.db', pageMs = '50'] = process.argv.slice(2);
const store = await createSqliteStore({ path });
const carts = defineHandle(store, { name: 'cart', state: { items: z.array(z.string()) }, maxPerPrincipal: 100 });

const PAGES = 10;
const text = (each: string): CallToolResult => ({ content: [{ type: 'text', text: each }] });

/** Writes a report slowly. `begin` is where an earlier process stopped. */
async function writePages(begin: number, onPage: (pages: number) => Promise<unknown>): Promise<CallToolResult> {
  for (let page = begin; page < PAGES; page++) {
    await pause(Number(pageMs));
    await onPage(page + 1);
    console.log(`Page ${page + 1} of ${PAGES}`);
  }
  return text(`${PAGES} pages`);
}

const tasks = createTaskStore(store, {
  onInterrupted: 'run again',
  leaseMs: 2_000,
  pollIntervalMs: 200,
  runners: {
    report: async (task: TaskHandle) => {
      const result = await writePages(Number(task.checkpoint ?? 0), (pages) => task.saveCheckpoint(pages));
      return { content: [...result.content, { type: 'text', text: `attempt ${task.attempt}` }] };
    },
  },
});

/** What both eras give to a server. Only a revision with sessions has a session. */
interface Served {
  readonly session?: Session;
  readonly principal: string | null;
  readonly user: UserRecord | undefined;
}

function createServer({ session, principal, user }: Served): McpServer {
  const server = new McpServer({ name: 'both-eras', version: '1.0.0' });
  const served = serveTasks(server, tasks, { principal: () => principal });

  const cartInput = z.object({ item: z.string(), cart: z.string().optional().describe(carts.describe()) });
  server.registerTool('add', { description: 'Adds to a cart', inputSchema: cartInput }, async ({ item, cart: id }) => {
    try {
      const own = () => (session === undefined ? carts.create(principal) : carts.of(session));
      const cart = await (id === undefined ? own() : carts.open(id, principal));
      const items = await cart.state.update('items', (before = []) => [...before, item]);
      return text(JSON.stringify({ cart: cart.id, items }));
    } catch (error) {
      return handleErrorResult(error);
    }
  });

  server.registerTool('visit', { description: 'Counts the visits of the user' }, async () => {
    const visits: unknown = await user?.state.update('visits', (n: number = 0) => n + 1);
    return text(JSON.stringify({ principal, visits }));
  });

  server.registerTool('report', { description: 'Writes a report' }, async (context) => {
    // A client that knows tasks gets one. For any other the call itself goes on, and continues from
    // where it was if the client calls again.
    if (served.supports(context)) return served.create(context, { runner: 'report' });
    const begin: unknown = await session?.state.get('pages');
    const result = await writePages(Number(begin ?? 0), async (pages) => session?.state.set('pages', pages));
    await session?.state.remove('pages');
    return result;
  });
  return server;
}

const handler = createDualEraHandler({
  store,
  createServer,
  createStatelessServer: createServer,
  // An example has no authentication. Anyone on this machine can be anybody.
  principal: (_, request) => request.headers.get('x-user'),
  allowedOrigins: [],
  leaseMs: 2_000,
});

const listener = toNodeHandler(handler);
const http = createHttpServer((request, response) => void listener(request, response));
http.listen(Number(port), '127.0.0.1', () => {
  console.log(`Process ${process.pid} listens on http://127.0.0.1:${(http.address() as AddressInfo).port}/mcp`);
});
