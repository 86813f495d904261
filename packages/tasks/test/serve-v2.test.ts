import { createDualEraHandler, defaultPrincipal } from '@mcp-session/http/v2';
import { McpServer, type ServerContext } from '@modelcontextprotocol/server';
import { expect, it, onTestFinished, vi } from 'vitest';
import { createTaskStore, type TaskHandle } from '../src/index.ts';
import { serveTasks, TASKS_EXTENSION } from '../src/v2.ts';
import { backends } from './support/backends.ts';

const REVISION = '2026-07-28';

async function report(task: TaskHandle) {
  await task.status('asking');
  const { name } = await task.requireInput({
    name: { method: 'elicitation/create', params: { mode: 'form', message: 'Who?', requestedSchema: {} } },
  });
  return { content: [{ type: 'text', text: JSON.stringify([task.context, name]) }] };
}

type Answer = Record<string, unknown> & { readonly result?: Record<string, unknown> };

/** Two nodes on one file of SQLite, and a client that speaks for itself. */
async function nodes() {
  const openStore = await backends[1]?.[1]();
  const errors: unknown[] = [];
  const start = async () => {
    const store = await openStore?.({});
    if (store === undefined) throw new Error('There is a backend');
    const tasks = createTaskStore(store, { runners: { report }, pollIntervalMs: 50 });
    const createServer = (): McpServer => {
      const server = new McpServer({ name: 'reports', version: '1.0.0' });
      const served = serveTasks(server, tasks, {
        principal: ({ http }: ServerContext) => (http?.authInfo ? defaultPrincipal(http.authInfo) : null),
      });
      server.registerTool('report', {}, async (context) =>
        served.supports(context) || context.mcpReq._meta?.['must'] === true
          ? await served.create(context, { runner: 'report', context: 'all' })
          : { content: [{ type: 'text', text: 'at once' }] },
      );
      return server;
    };
    const handler = createDualEraHandler({
      store,
      createServer,
      createStatelessServer: createServer,
      onError: (error) => void errors.push(error),
    });
    onTestFinished(async () => {
      await handler.close();
      await store.close();
    });
    return handler;
  };
  const handlers = [await start(), await start()] as const;
  let turn = 0;
  /** Sends a request to the other node than the last one. */
  return async (method: string, params: object, { sub = 'alice', declares = true, name = '', must = false } = {}) => {
    const extensions = declares ? { [TASKS_EXTENSION]: {} } : {};
    const _meta = {
      'io.modelcontextprotocol/protocolVersion': REVISION,
      'io.modelcontextprotocol/clientInfo': { name: 'raw', version: '1' },
      'io.modelcontextprotocol/clientCapabilities': { elicitation: { form: {} }, extensions },
      ...(must && { must }),
    };
    const request = new Request('http://localhost/mcp', {
      method: 'POST',
      headers: {
        'content-type': 'application/json',
        accept: 'application/json, text/event-stream',
        host: 'localhost',
        'mcp-protocol-version': REVISION,
        'mcp-method': method,
        ...(name !== '' && { 'mcp-name': name }),
      },
      body: JSON.stringify({ jsonrpc: '2.0', id: 1, method, params: { ...params, _meta } }),
    });
    const authInfo = { token: 'x', clientId: 'app', scopes: [], extra: { iss: 'https://issuer', sub } };
    const response = await handlers[turn++ % 2 === 0 ? 0 : 1].fetch(request, { authInfo });
    expect(response.status).toBeLessThan(500);
    const text = await response.text();
    const json = text.startsWith('{') ? text : (/^data: (\{.*)$/m.exec(text)?.[1] ?? '{}');
    return JSON.parse(json) as Answer;
  };
}

it('a tool becomes a task that any node shows, asks through, and ends', async () => {
  const send = await nodes();
  const { result: discovered } = await send('server/discover', {});
  expect(discovered).toMatchObject({ capabilities: { extensions: { [TASKS_EXTENSION]: {} } } });

  const { result: created = {} } = await send('tools/call', { name: 'report', arguments: {} }, { name: 'report' });
  expect(created).toMatchObject({ resultType: 'task', status: 'working', pollIntervalMs: 50, ttlMs: 86_400_000 });
  const { taskId } = created as { taskId: string };
  const get = async () => (await send('tasks/get', { taskId }, { name: taskId })).result;
  await vi.waitFor(async () => expect(await get()).toMatchObject({ status: 'input_required' }), { timeout: 5_000 });
  expect(await get()).toMatchObject({
    resultType: 'complete',
    taskId,
    statusMessage: 'asking',
    inputRequests: { name: { method: 'elicitation/create' } },
  });
  const inputResponses = { name: { action: 'accept', content: { name: 'Ada' } }, other: { action: 'decline' } };
  expect((await send('tasks/update', { taskId, inputResponses }, { name: taskId })).result).toMatchObject({
    resultType: 'complete',
  });
  await vi.waitFor(async () => expect(await get()).toMatchObject({ status: 'completed' }), { timeout: 5_000 });
  expect(await get()).toMatchObject({
    result: { content: [{ text: JSON.stringify(['all', inputResponses.name]) }] },
  });
  expect((await send('tasks/cancel', { taskId }, { name: taskId })).result).toMatchObject({ resultType: 'complete' });
  expect(await get()).toMatchObject({ status: 'completed' });
});

it('a client that does not declare the extension gets the result at once, or -32021', async () => {
  const send = await nodes();
  const call = { name: 'report', arguments: {} };
  const plain = await send('tools/call', call, { declares: false, name: 'report' });
  expect(plain.result).toMatchObject({ content: [{ text: 'at once' }] });
  const missing = {
    error: { code: -32_021, data: { requiredCapabilities: { extensions: { [TASKS_EXTENSION]: {} } } } },
  };
  for (const method of ['tasks/get', 'tasks/update', 'tasks/cancel']) {
    expect(await send(method, { taskId: 'x', inputResponses: {} }, { declares: false, name: 'x' })).toMatchObject(
      missing,
    );
  }
});

it('a task that is unknown, malformed or foreign is -32602 in the same words, and no input is a 500', async () => {
  const send = await nodes();
  const { result = {} } = await send('tools/call', { name: 'report', arguments: {} }, { name: 'report' });
  const { taskId } = result as { taskId: string };
  for (const method of ['tasks/get', 'tasks/update', 'tasks/cancel']) {
    for (const id of [taskId, `${taskId}A`, 'task_?', 'x', '__proto__', 'x'.repeat(100_000)]) {
      const answer = await send(
        method,
        { taskId: id, inputResponses: { a: {} } },
        { sub: 'mallory', name: id.slice(0, 100) === id ? id : '' },
      );
      if (id.length < 1_000) expect(answer).toMatchObject({ error: { code: -32_602, message: 'Task not found' } });
    }
    for (const params of [
      {},
      { taskId: 7 },
      { taskId: null },
      { taskId: [taskId] },
      { taskId, inputResponses: 7 },
      { taskId, inputResponses: ['a'] },
    ]) {
      // The SDK refuses a name in the header that is not that of the parameters.
      const answer = await send(method, params, { sub: 'mallory', name: 'x' });
      expect([-32_602, -32_020]).toContain((answer['error'] as { code: number }).code);
    }
  }
  expect((await send('tasks/get', { taskId }, { name: taskId })).result).toHaveProperty('taskId', taskId);
});
