// One of several servers, which write no reports: `DATABASE_URL=postgres://… node server.ts 3000`
import { toNodeHandler } from '@mcp-session/http/node';
import { createDualEraHandler } from '@mcp-session/http/v2';
import { serveTaskNotifications, serveTasks } from '@mcp-session/tasks/v2';
import { McpServer } from '@modelcontextprotocol/server';
import { createServer as createHttpServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { z } from 'zod';
import { boss, bus, QUEUE, type ReportContext, type ReportJob, store, tasks } from './reports.ts';

// An example has no authentication. Anyone on this machine can be anybody.
const principalOf = (request: Request): string | null => request.headers.get('x-user');

function createServer({ principal }: { readonly principal: string | null }): McpServer {
  const server = new McpServer({ name: 'tasks-on-a-queue', version: '1.0.0' });
  const served = serveTasks(server, tasks, { principal: () => principal });
  const inputSchema = z.object({
    pages: z.int().min(1).max(100).default(10),
    pageMs: z.int().min(1).max(60_000).default(50),
  });
  server.registerTool('report', { description: 'Writes a report', inputSchema }, async (report, context) => {
    if (!served.supports(context)) {
      return { content: [{ type: 'text', text: 'Ask with a client that supports tasks' }], isError: true };
    }
    // The task first, so that each job has one. If this process dies between the two, nobody has
    // the id of the task, and it expires.
    const task = await served.create(context, { context: report satisfies ReportContext });
    await boss.send(QUEUE, { taskId: task.taskId, principal } satisfies ReportJob);
    return task;
  });
  return server;
}

const handler = serveTaskNotifications(
  createDualEraHandler({
    store,
    createServer,
    createStatelessServer: createServer,
    principal: (_, request) => principalOf(request),
    // At least no web page may call it.
    allowedOrigins: [],
    stateless: { bus },
  }),
  tasks,
  { principal: (_, request) => principalOf(request) },
);

const listener = toNodeHandler(handler);
const http = createHttpServer((request, response) => void listener(request, response));
http.listen(Number(process.argv[2] ?? 3_000), '127.0.0.1', () => {
  console.log(`Process ${process.pid} listens on http://127.0.0.1:${(http.address() as AddressInfo).port}/mcp`);
});

process.once('SIGTERM', () => {
  http.close();
  void handler
    .close({ drainMs: 5_000 })
    .then(() => boss.stop())
    .then(() => store.close())
    .then(() => process.exit());
});
