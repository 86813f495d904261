// One of the two nodes of `demo --tasks`: `node report-server.ts 3000 sessions.db`
import { toNodeHandler } from '@mcp-session/http/node';
import { createDualEraHandler } from '@mcp-session/http/v2';
import { createSqliteStore } from '@mcp-session/sqlite';
import { createTaskStore, type TaskHandle } from '@mcp-session/tasks';
import { serveTasks } from '@mcp-session/tasks/v2';
import { McpServer } from '@modelcontextprotocol/server';
import { createServer as createHttpServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { setTimeout as pause } from 'node:timers/promises';

const PAGES = 10;
const PAGE_MS = 300;

const [port = '0', path = 'sessions.db'] = process.argv.slice(2);
const store = await createSqliteStore({ path });

/** Writes a report slowly. The checkpoint is the process that wrote each page. */
async function report(task: TaskHandle): Promise<object> {
  const writers = [...((task.checkpoint ?? []) as number[])];
  for (let page = writers.length + 1; page <= PAGES; page++) {
    await pause(PAGE_MS, undefined, { signal: task.signal });
    writers.push(process.pid);
    await task.saveCheckpoint(writers);
    await task.status(`Page ${page} of ${PAGES}, by process ${process.pid}`);
  }
  return { content: [], structuredContent: { writers, attempt: task.attempt } };
}

const tasks = createTaskStore(store, {
  runners: { report },
  onInterrupted: 'run again',
  // How long after the death of a node its tasks go on elsewhere.
  leaseMs: 2_000,
  pollIntervalMs: 100,
});

function createServer(): McpServer {
  const server = new McpServer({ name: 'reports', version: '1.0.0' });
  const served = serveTasks(server, tasks, { principal: () => null });
  server.registerTool('report', { description: 'Writes a report' }, (context) =>
    served.create(context, { runner: 'report' }),
  );
  return server;
}

const handler = createDualEraHandler({
  store,
  createServer,
  createStatelessServer: createServer,
  allowedOrigins: [],
  onError: (error) => console.error(error),
});
const listener = toNodeHandler(handler);
const http = createHttpServer((request, response) => void listener(request, response));
http.listen(Number(port), '127.0.0.1', () => {
  console.log(`Process ${process.pid} listens on http://127.0.0.1:${(http.address() as AddressInfo).port}/mcp`);
});
