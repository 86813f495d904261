import { once } from 'node:events';
import { join } from 'node:path';
import { TASKS_EXTENSION } from '@mcp-session/tasks/v2';
import { Client } from '@modelcontextprotocol/sdk/client/index.js';
import { StreamableHTTPClientTransport } from '@modelcontextprotocol/sdk/client/streamableHttp.js';
import { CallToolResultSchema, ElicitRequestSchema } from '@modelcontextprotocol/sdk/types.js';
import { expect, it, onTestFinished } from 'vitest';
import { codeWith, folderWith, withReplaced } from './support/pasted.ts';
import { freePort, start, untilItIsGone, untilItListens } from './support/server.ts';

// The two programs of the README of tasks, in processes of their own.

const PAGE = 'packages/tasks/README.md';
const REVISION = '2026-07-28';

const listenOn = (port: number): string => `
import { toNodeHandler } from '@mcp-session/http/node';
import { createServer as createHttpServer } from 'node:http';
createHttpServer(toNodeHandler(handler)).listen(${port}, '127.0.0.1');
`;

type Message = Readonly<Record<'method' | 'params' | 'result', unknown>>;

/** Sends a request of revision 2026-07-28 and yields what comes until the response ends. */
async function* send(url: string, method: string, params: object, name?: string): AsyncGenerator<Message> {
  const headers = {
    'content-type': 'application/json',
    accept: 'application/json, text/event-stream',
    'mcp-protocol-version': REVISION,
    'mcp-method': method,
    ...(name !== undefined && { 'mcp-name': name }),
  };
  const _meta = {
    'io.modelcontextprotocol/protocolVersion': REVISION,
    'io.modelcontextprotocol/clientInfo': { name: 'reader', version: '1.0.0' },
    'io.modelcontextprotocol/clientCapabilities': { extensions: { [TASKS_EXTENSION]: {} } },
  };
  const body = JSON.stringify({ jsonrpc: '2.0', id: 1, method, params: { ...params, _meta } });
  const response = await fetch(url, { method: 'POST', headers, body });
  let text = '';
  for await (const chunk of (response.body ?? new ReadableStream()).pipeThrough(new TextDecoderStream())) {
    text += chunk;
    if (text.startsWith('{')) continue;
    const events = text.split('\n\n');
    text = events.pop() ?? '';
    for (const [, data = ''] of events.join('\n').matchAll(/^data: (\{.*)$/gm)) yield JSON.parse(data) as Message;
  }
  if (text.startsWith('{')) yield JSON.parse(text) as Message;
}

it('the task of the README goes on in another process when its own is killed', { timeout: 60_000 }, async () => {
  const port = await freePort();
  const url = `http://127.0.0.1:${port}/mcp`;
  // The second process takes the task when the lease of the first has expired.
  const code = withReplaced(codeWith(PAGE, 'serveTaskNotifications'), {
    "'run again', bus": "'run again', bus, leaseMs: 1_000",
  });
  // In the first process, the runner stops before page 50.
  const stop = "if (page === 50) { console.log('stopped'); await new Promise(() => {}); }";
  const folder = folderWith({
    'first.ts': withReplaced(code, { 'task.signal.throwIfAborted();': stop }) + listenOn(port),
    'second.ts': code + listenOn(port),
  });
  const first = start(join(folder, 'first.ts'), folder);
  await untilItListens(port);
  const call = await send(url, 'tools/call', { name: 'report', arguments: {} }, 'report').next();
  expect(call.value).toMatchObject({ result: { resultType: 'task', status: 'working' } });
  const { taskId } = (call.value as { readonly result: { readonly taskId: string } }).result;
  await once(first.stdout ?? process.stdin, 'data');
  const shown = await send(url, 'tasks/get', { taskId }, taskId).next();
  expect(shown.value).toMatchObject({ result: { status: 'working', statusMessage: 'page 49 of 100' } });

  first.kill('SIGKILL');
  await untilItIsGone(port);
  start(join(folder, 'second.ts'), folder);
  await untilItListens(port);

  const seen: unknown[] = [];
  for await (const { method, params } of send(url, 'subscriptions/listen', { notifications: { taskIds: [taskId] } })) {
    if (method !== 'notifications/tasks') continue;
    seen.push((params as { readonly statusMessage?: string }).statusMessage);
    if ((params as { readonly status: string }).status !== 'completed') continue;
    expect(params).toMatchObject({ result: { content: [{ type: 'text', text: 'done' }] } });
    break;
  }
  // Pages 0 to 49 were not written again.
  expect(seen.filter((message) => /page [1-4]?\d of/.test(String(message)))).toEqual(
    seen.filter((message) => message === 'page 49 of 100'),
  );
});

const PRESUPPOSED = `
import { createSessionHandler } from '@mcp-session/http/v1';
import { createSqliteStore } from '@mcp-session/sqlite';
import { createTaskStore } from '@mcp-session/tasks';
const store = await createSqliteStore();
const report = async (task) => {
  const params = { mode: 'form', message: 'Who?', requestedSchema: { type: 'object', properties: {} } };
  const { name } = await task.requireInput({ name: { method: 'elicitation/create', params } });
  return { content: [{ type: 'text', text: 'done for ' + name.content.name }] };
};
const tasks = createTaskStore(store, { runners: { report }, pollIntervalMs: 50 });
const handler = createSessionHandler({ store, createServer });
`;

it('the server of SDK v1 in the README shows the same tasks, and asks the client', { timeout: 60_000 }, async () => {
  const port = await freePort();
  const code = withReplaced(codeWith(PAGE, 'createV1Tasks'), { 'export function': 'function' });
  const folder = folderWith({ 'server.ts': code + PRESUPPOSED + listenOn(port) });
  start(join(folder, 'server.ts'), folder);
  await untilItListens(port);
  const client = new Client({ name: 'reader', version: '1.0.0' }, { capabilities: { elicitation: {} } });
  client.setRequestHandler(ElicitRequestSchema, () => ({ action: 'accept', content: { name: 'Ada' } }));
  await client.connect(new StreamableHTTPClientTransport(new URL(`http://127.0.0.1:${port}/mcp`)));
  onTestFinished(() => client.close());

  const seen: unknown[] = [];
  const { tasks } = client.experimental;
  for await (const message of tasks.callToolStream({ name: 'report' }, CallToolResultSchema, { task: {} })) {
    seen.push(message.type === 'result' ? message.result.content : message.type);
  }

  expect([seen[0], seen.at(-1)]).toEqual(['taskCreated', [{ type: 'text', text: 'done for Ada' }]]);
});
