import type { JsonValue } from '@mcp-session/core';
import { acceptedContent, type CallToolResult, inputRequired, McpServer } from '@modelcontextprotocol/server';
import { setTimeout as pause } from 'node:timers/promises';
import * as z from 'zod';
import type { TaskHandle, TaskRunner, TaskStore } from '../../src/index.ts';
import { serveTasks } from '../../src/v2.ts';

const text = (each: string): CallToolResult => ({ content: [{ type: 'text', text: each }] });

function confirm(message: string): JsonValue {
  const requestedSchema = { type: 'object', properties: { ok: { type: 'boolean' } } };
  return { method: 'elicitation/create', params: { mode: 'form', message, requestedSchema } };
}

/** The work of the tools that the official scenarios of tasks call. */
export const runners: Readonly<Record<string, TaskRunner>> = {
  slow_compute: async (task: TaskHandle) => {
    await pause(Number(task.context) * 1_000, undefined, { signal: task.signal });
    return text('computed');
  },
  failing_job: async () => {
    throw new Error('It fails always');
  },
  protocol_error_job: async () => {
    throw Object.assign(new Error('It breaks the protocol'), { code: -32_603 });
  },
  confirm_delete: async (task) => {
    await task.requireInput({ confirm: confirm('Delete it?') });
    return text('deleted');
  },
  multi_input: async (task) => {
    await task.requireInput({ first: confirm('First?'), second: confirm('Second?') });
    return text('both');
  },
  test_tool_with_task: async (task) => text(`Hello, ${JSON.stringify(task.context)}`),
};

/** Tools that cannot do without a task. */
const REQUIRED = new Set(['failing_job', 'protocol_error_job', 'confirm_delete', 'multi_input']);

/** A server with the tools that the official scenarios of tasks need. */
export function createOfficialServer(tasks: TaskStore): McpServer {
  const server = new McpServer({ name: 'tasks', version: '1.0.0' });
  const served = serveTasks(server, tasks, { principal: () => null });
  server.registerTool('greet', { inputSchema: z.object({ name: z.string() }) }, ({ name }) => text(`Hello, ${name}!`));
  const inputSchema = z.object({ seconds: z.number().default(0) });
  for (const runner of ['slow_compute', ...REQUIRED]) {
    server.registerTool(runner, { inputSchema }, async ({ seconds }, context) =>
      REQUIRED.has(runner) || served.supports(context)
        ? served.create(context, { runner, context: seconds })
        : text('computed at once'),
    );
  }
  server.registerTool('test_tool_with_task', {}, async (context) => {
    const schema = z.object({ name: z.string() });
    const name = acceptedContent(context.mcpReq.inputResponses, 'user_name', schema)?.name;
    if (name !== undefined) return served.create(context, { runner: 'test_tool_with_task', context: name });
    const ask = inputRequired.elicit({ message: 'What is your name?', requestedSchema: schema });
    return inputRequired({ inputRequests: { user_name: ask } });
  });
  return server;
}
