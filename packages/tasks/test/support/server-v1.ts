import { McpServer } from '@modelcontextprotocol/sdk/server/mcp.js';
import type { V1Tasks } from '../../src/v1.ts';

/** A server of SDK v1 with a tool for each runner. A call of the tool becomes a task. */
export function createV1Server({ options, serve }: V1Tasks, runners: readonly string[]): McpServer {
  const server = new McpServer({ name: 'reports', version: '1.0.0' }, options);
  for (const runner of runners) {
    server.experimental.tasks.registerToolTask(
      runner,
      {},
      {
        createTask: async ({ taskStore, taskRequestedTtl: ttl = null }) => ({
          task: await taskStore.createTask({ ttl, context: { runner } }),
        }),
        getTask: ({ taskStore, taskId }) => taskStore.getTask(taskId),
        getTaskResult: async ({ taskStore, taskId }) => ({ content: [], ...(await taskStore.getTaskResult(taskId)) }),
      },
    );
  }
  serve(server);
  return server;
}
