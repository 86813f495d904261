// A node with a server of SDK v1, in a process of its own: `node v1-node.ts <file>`. It says its
// port to its parent.
import { toNodeHandler } from '@mcp-session/http/node';
import { createSessionHandler } from '@mcp-session/http/v1';
import { createSqliteStore } from '@mcp-session/sqlite';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { setTimeout as pause } from 'node:timers/promises';
import { createTaskStore, type TaskHandle } from '../../src/index.ts';
import { createV1Tasks } from '../../src/v1.ts';
import { createV1Server } from './server-v1.ts';

const [path = ''] = process.argv.slice(2);
const store = await createSqliteStore({ path });

/** Asks for a name, and writes four pages. */
async function report(task: TaskHandle) {
  await task.status(`process ${process.pid}`);
  const requestedSchema = { type: 'object', properties: { name: { type: 'string' } } };
  const { name } = (await task.requireInput({
    name: { method: 'elicitation/create', params: { mode: 'form', message: 'Who?', requestedSchema } },
  })) as { readonly name: { readonly content?: { readonly name?: string } } };
  for (let page = Number(task.checkpoint ?? 0); page < 4; page++) {
    await pause(150, undefined, { signal: task.signal });
    await task.saveCheckpoint(page + 1);
  }
  return { content: [{ type: 'text', text: `${name.content?.name}, attempt ${task.attempt}` }] };
}

const runners = {
  report,
  wait: async (task: TaskHandle) => pause(60_000, {}, { signal: task.signal }),
  breaks: async () => {
    throw new Error('Disk is full');
  },
  refuses: async () => {
    throw Object.assign(new Error('No'), { code: -32_000 });
  },
};
const tasks = createTaskStore(store, { runners, onInterrupted: 'run again', leaseMs: 600, pollIntervalMs: 50 });

const handler = createSessionHandler({
  store,
  leaseMs: 1_000,
  principal: (_, request) => request.headers.get('x-user'),
  createServer: ({ principal }) => createV1Server(createV1Tasks(store, tasks, { principal }), Object.keys(runners)),
});

process.once('disconnect', () => process.exit());
const listener = toNodeHandler(handler);
const http = createServer((request, response) => void listener(request, response));
http.listen(0, '127.0.0.1', () => process.send?.((http.address() as AddressInfo).port));
