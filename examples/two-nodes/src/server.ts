// One of several nodes, which all open the same database:
// `DATABASE_URL=postgres://… node server.ts 3001`
import { toNodeHandler } from '@mcp-session/http/node';
import { createSessionHandler } from '@mcp-session/http/v2';
import { createPostgresStore } from '@mcp-session/postgres';
import { acceptedContent, inputRequired, McpServer } from '@modelcontextprotocol/server';
import express from 'express';
import type { AddressInfo } from 'node:net';
import { setTimeout as pause } from 'node:timers/promises';
import { z } from 'zod';

if (process.env['DATABASE_URL'] === undefined) {
  console.error('Set DATABASE_URL to a PostgreSQL database, such as postgres://user:password@127.0.0.1:5432/name');
  process.exit(1);
}

const store = await createPostgresStore({
  schema: 'mcp_two_nodes',
  state: {
    title: z.string(),
    /** Which process wrote each page. */
    pages: z.array(z.number()),
  },
}).catch((error: unknown) => {
  // `store` names the database, and never the password.
  const { message, store } = error as Error & { readonly store?: string };
  console.error(`${message} (${store})`);
  process.exit(1);
});

const handler = createSessionHandler({
  store,
  createServer: ({ session }) => {
    const server = new McpServer({ name: 'reports', version: '1.0.0' });
    const answer = z.object({ title: z.string() });
    server.registerTool(
      'write_report',
      {
        description: 'Writes a report slowly. Called again, it continues with the next page',
        inputSchema: z.object({ pages: z.int().min(1).max(100), pageMs: z.int().max(60_000).default(1_000) }),
      },
      async ({ pages, pageMs }, { mcpReq, http }) => {
        let title = await session.state.get('title');
        if (title === undefined) {
          // When the user has answered, the SDK runs the tool again on this node, even if the
          // answer was sent to another one.
          if (mcpReq.inputResponses === undefined) {
            const ask = inputRequired.elicit({ message: 'What is its title?', requestedSchema: answer });
            return inputRequired({ inputRequests: { ask } });
          }
          title = acceptedContent(mcpReq.inputResponses, 'ask', answer)?.title ?? 'Untitled';
          await session.state.set('title', title);
        }
        for (;;) {
          const { length } = (await session.state.get('pages')) ?? [];
          if (length >= pages) break;
          await pause(pageMs, undefined, { signal: mcpReq.signal });
          // Writes a page once, even if a node that counted as dead wakes up again.
          const add = (all: readonly number[] = []) => (all.length === length ? [...all, process.pid] : [...all]);
          await session.state.update('pages', add);
          const progressToken = mcpReq._meta?.progressToken;
          const params = { progress: length + 1, total: pages };
          if (progressToken !== undefined) {
            await mcpReq.notify({ method: 'notifications/progress', params: { ...params, progressToken } });
          }
          console.log(`Page ${length + 1} of ${pages}`);
          // No connection needs to stay open all the time: the client reconnects, to any node.
          http?.closeSSE?.();
        }
        const writers = (await session.state.get('pages')) ?? [];
        await session.state.remove('pages');
        await session.state.remove('title');
        return { content: [{ type: 'text', text: JSON.stringify({ title, writers }) }] };
      },
    );
    server.registerTool('who', { description: 'Tells which process answers' }, () => ({
      content: [{ type: 'text', text: String(process.pid) }],
    }));
    return server;
  },
  // This example has no authentication. At least no web page may call it.
  allowedOrigins: [],
  retryIntervalMs: 200,
  // The load balancer skips a dead node: a client need not wait until that node is back.
  restartRetryMs: 200,
  // How long after the death of a node its calls get an error.
  leaseMs: 3_000,
  onError: (error) => console.error(error),
});

const app = express();
app.all('/mcp', toNodeHandler(handler));
const listener = app.listen(Number(process.argv[2] ?? 3_001), '127.0.0.1', (error) => {
  if (error !== undefined) throw error;
  console.log(`Process ${process.pid} listens on http://127.0.0.1:${(listener.address() as AddressInfo).port}/mcp`);
});

// What a deploy does. Running calls have five seconds to end and then get an error. Clients
// reconnect to another node.
process.once('SIGTERM', () => {
  listener.close();
  void handler
    .close({ drainMs: 5_000 })
    .then(() => store.close())
    .then(() => process.exit());
});
