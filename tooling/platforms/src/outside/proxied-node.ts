// A node behind a proxy. It prints what the script must know: where a tool runs, and each GET.
import { once } from 'node:events';
import { createServer } from 'node:http';
import { setTimeout as pause } from 'node:timers/promises';
import { toNodeHandler } from '@mcp-session/http/node';
import { createSessionHandler } from '@mcp-session/http/v2';
import type { Session } from '@mcp-session/core';
import { createSqliteStore } from '@mcp-session/sqlite';
import { type CallToolResult, McpServer } from '@modelcontextprotocol/server';
import * as z from 'zod';

const [path = '', port = '', host = '', unreadyMs = ''] = process.argv.slice(2);

const state = { runs: z.int() };
const store = await createSqliteStore({ path, state });
// As docs/operating/load-balancer.md says. All other options have their defaults.
const handler = createSessionHandler({ store, createServer: makeServer, allowedHosts: [host], restartRetryMs: 1_000 });
const mcp = toNodeHandler(handler);

let ready = true;
const http = createServer((request, response) => {
  if (request.url === '/readyz') {
    response.writeHead(ready ? 200 : 503).end();
    return;
  }
  if (request.method === 'GET') console.log('GET');
  void mcp(request, response);
});
await once(http.listen(Number(port), '127.0.0.1'), 'listening');
console.log('listens');

process.once('SIGTERM', () => void stop());

async function stop(): Promise<void> {
  ready = false;
  await pause(Number(unreadyMs));
  http.close();
  await handler.close({ drainMs: 20_000 });
  await store.close();
}

function makeServer({ session }: { readonly session: Session<typeof state> }): McpServer {
  const server = new McpServer({ name: 'proxied', version: '1.0.0' });

  server.registerTool('where', {}, () => say(String(process.pid)));

  server.registerTool('measure', { inputSchema: z.object({ text: z.string() }) }, ({ text }) =>
    say(String(text.length)),
  );

  server.registerTool('announce', {}, () => {
    server.sendToolListChanged();
    return say('announced');
  });

  // Each report carries the time at which it was sent.
  const book = z.object({ chapters: z.int(), delayMs: z.int() });
  server.registerTool('report', { inputSchema: book }, async ({ chapters, delayMs }, { mcpReq }) => {
    console.log('runs');
    const progressToken = mcpReq._meta?.progressToken ?? '';
    for (let progress = 1; progress <= chapters; progress++) {
      await pause(delayMs, undefined, { signal: mcpReq.signal });
      const params = { progressToken, progress, message: String(Date.now()) };
      await mcpReq.notify({ method: 'notifications/progress', params });
    }
    return say('done');
  });

  server.registerTool('run_once', {}, async ({ mcpReq }) => {
    await session.state.update('runs', (runs = 0) => runs + 1);
    console.log('runs');
    await pause(60_000, undefined, { signal: mcpReq.signal });
    return say('done');
  });

  server.registerTool('runs', {}, async () => say(String((await session.state.get('runs')) ?? 0)));

  return server;
}

function say(text: string): CallToolResult {
  return { content: [{ type: 'text', text }] };
}
