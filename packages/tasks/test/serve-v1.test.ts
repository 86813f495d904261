import { createMemoryStore } from '@mcp-session/core/memory';
import { createSqliteStore } from '@mcp-session/sqlite';
import { Client } from '@modelcontextprotocol/sdk/client/index.js';
import { StreamableHTTPClientTransport } from '@modelcontextprotocol/sdk/client/streamableHttp.js';
import { CallToolResultSchema, ElicitRequestSchema, type Task } from '@modelcontextprotocol/sdk/types.js';
import { fork } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect, it, onTestFinished, vi } from 'vitest';
import { createTaskStore } from '../src/index.ts';
import { createV1Tasks } from '../src/v1.ts';

interface Nodes {
  readonly path: string;
  /** Sends each request to the next node that lives. */
  readonly fetch: typeof fetch;
  /** Ends a node as a power cut would. */
  kill(pid: number): Promise<void>;
}

async function start(): Promise<Nodes> {
  const folder = await mkdtemp(join(tmpdir(), 'mcp-session-tasks-'));
  onTestFinished(() => rm(folder, { recursive: true, force: true }));
  const path = join(folder, 'sessions.db');
  const file = fileURLToPath(new URL('support/v1-node.ts', import.meta.url));
  const run = async () => {
    const child = fork(file, [path], { execArgv: ['--conditions=@mcp-session/source', '--no-warnings'] });
    onTestFinished(() => void child.kill('SIGKILL'));
    const [port] = (await once(child, 'message')) as [number];
    return { child, port };
  };
  const nodes = await Promise.all([run(), run()]);
  let turn = 0;
  return {
    path,
    fetch: (input, init) => {
      const url = new URL(input instanceof Request ? input.url : input);
      url.port = String(nodes[turn++ % nodes.length]?.port);
      return fetch(url, init);
    },
    kill: async (pid) => {
      const index = nodes.findIndex(({ child }) => child.pid === pid);
      const [node] = nodes.splice(index, 1);
      const gone = node && once(node.child, 'exit');
      node?.child.kill('SIGKILL');
      await gone;
    },
  };
}

/** The real client, with its defaults. */
async function connect({ fetch }: Nodes, user = 'alice', answers?: Promise<void>) {
  const client = new Client({ name: 'client', version: '1.0.0' }, { capabilities: { elicitation: {} } });
  const related: unknown[] = [];
  client.setRequestHandler(ElicitRequestSchema, async ({ params }) => {
    related.push(params._meta?.['io.modelcontextprotocol/related-task']);
    await answers;
    return { action: 'accept', content: { name: 'Ada' } };
  });
  const transport = new StreamableHTTPClientTransport(new URL('http://127.0.0.1/mcp'), {
    fetch,
    requestInit: { headers: { 'x-user': user } },
  });
  await client.connect(transport);
  onTestFinished(() => client.close());
  return { client, related };
}

/** Creates a task, without a wait for its end. */
async function begin(client: Client, name: string): Promise<Task> {
  for await (const message of client.experimental.tasks.callToolStream({ name }, CallToolResultSchema, { task: {} })) {
    if (message.type === 'taskCreated') return message.task;
  }
  throw new Error('The server made no task');
}

it(
  'task rules 21 and 28: a task of SDK v1 asks its client, and goes on elsewhere when its node is killed',
  { timeout: 60_000 },
  async () => {
    const nodes = await start();
    const gone = Promise.withResolvers<void>();
    const { client, related } = await connect(nodes, 'alice', gone.promise);
    const seen: string[] = [];
    let taskId = '';
    let content: unknown;
    const stream = client.experimental.tasks.callToolStream({ name: 'report' }, CallToolResultSchema, {
      task: { ttl: 60_000 },
    });
    for await (const message of stream) {
      seen.push(message.type === 'taskStatus' ? message.task.status : message.type);
      if (message.type === 'error') throw message.error;
      if (message.type === 'taskCreated') {
        taskId = message.task.taskId;
        expect(message.task).toMatchObject({ status: 'working', ttl: 60_000, pollInterval: 50 });
        const asked = client.experimental.tasks.getTaskResult(taskId, CallToolResultSchema);
        asked.catch(() => undefined);
        // It asks the client, and the node that runs the task is gone before it has answered.
        while (related.length === 0) await new Promise((resolve) => setTimeout(resolve, 10));
        const task = await client.experimental.tasks.getTask(taskId);
        await nodes.kill(Number(/\d+/.exec(task.statusMessage ?? '')));
        gone.resolve();
      }
      if (message.type === 'result') content = message.result.content;
    }
    // A node that stalls for longer than its lease loses the task once more.
    const text = expect.stringMatching(/^Ada, attempt ([2-9]|\d{2,})$/) as string;
    expect(content).toEqual([{ type: 'text', text }]);
    expect([seen[0], seen.at(-1)]).toEqual(['taskCreated', 'result']);
    expect(related[0]).toEqual({ taskId });
    expect(await client.experimental.tasks.getTaskResult(taskId, CallToolResultSchema)).toMatchObject({
      content,
      _meta: { 'io.modelcontextprotocol/related-task': { taskId } },
    });
  },
);

it(
  'task rules 25 and 30: the same task in both shapes: errors, cancel, list, and what a stranger sees',
  { timeout: 60_000 },
  async () => {
    const nodes = await start();
    const [{ client }, { client: mallory }] = [await connect(nodes), await connect(nodes, 'mallory')];
    const { tasks } = client.experimental;
    const store = await createSqliteStore({ path: nodes.path });
    onTestFinished(() => store.close());
    const alice = { principal: 'alice' };
    const extension = createTaskStore(store);

    const broken = await begin(client, 'breaks');
    expect(await tasks.getTaskResult(broken.taskId, CallToolResultSchema)).toMatchObject({ isError: true });
    // A tool's error is `failed` in 2025-11-25, and `completed` in the extension.
    expect((await tasks.getTask(broken.taskId)).status).toBe('failed');
    expect((await extension.get(broken.taskId, alice))?.status).toBe('completed');

    const refused = await begin(client, 'refuses');
    await expect(tasks.getTaskResult(refused.taskId, CallToolResultSchema)).rejects.toMatchObject({ code: -32_000 });

    const waiting = await begin(client, 'wait');
    const end = tasks.getTaskResult(waiting.taskId, CallToolResultSchema).catch((error: unknown) => error);
    for (const id of [waiting.taskId, 'task_unknown', '__proto__']) {
      const calls = [
        mallory.experimental.tasks.getTask(id),
        mallory.experimental.tasks.cancelTask(id),
        mallory.experimental.tasks.getTaskResult(id, CallToolResultSchema),
      ];
      for (const { reason } of (await Promise.allSettled(calls)) as PromiseRejectedResult[]) {
        expect(reason).toMatchObject({ code: -32_602 });
      }
    }
    expect((await mallory.experimental.tasks.listTasks()).tasks).toEqual([]);
    expect(await tasks.cancelTask(waiting.taskId)).toMatchObject({ status: 'cancelled' });
    expect(await end).toMatchObject({ code: -32_602 });
    await expect(tasks.cancelTask(waiting.taskId)).rejects.toMatchObject({ code: -32_602 });
    expect((await extension.get(waiting.taskId, alice))?.status).toBe('cancelled');
    const listed = (await tasks.listTasks()).tasks.map(({ taskId, status }) => [taskId, status]);
    expect(Object.fromEntries(listed)).toEqual({
      [broken.taskId]: 'failed',
      [refused.taskId]: 'failed',
      [waiting.taskId]: 'cancelled',
    });
  },
);

it('task rule 33: a tool of SDK v1 that works in its own process stores its result once', async () => {
  const store = await createSqliteStore({ path: ':memory:' });
  onTestFinished(() => store.close());
  const tasks = createTaskStore(store);
  const { taskStore, capabilities } = createV1Tasks(store, tasks, { principal: null, maxTtlMs: null }).options;
  expect(capabilities.tasks).not.toHaveProperty('list');
  const request = { method: 'tools/call' };
  const { taskId } = await taskStore.createTask({ ttl: null, pollInterval: 70 }, 1, request);
  expect(await taskStore.getTask(taskId)).toMatchObject({ status: 'working', ttl: null, pollInterval: 70 });
  for (const ttl of [0, -1, 1.5, 1e300]) {
    await expect(taskStore.createTask({ ttl }, 1, request)).rejects.toMatchObject({ code: -32_602 });
  }
  await taskStore.updateTaskStatus(taskId, 'working', 'half of it');
  expect((await taskStore.getTask(taskId))?.statusMessage).toBe('half of it');
  await taskStore.storeTaskResult(taskId, 'failed', { content: [] });
  expect(await taskStore.getTask(taskId)).toMatchObject({ status: 'failed' });
  expect(await taskStore.getTaskResult(taskId)).toEqual({ content: [], isError: true });
  await expect(taskStore.storeTaskResult(taskId, 'completed', {})).rejects.toMatchObject({ code: 'TASK_LOST' });
  expect(await taskStore.listTasks()).toEqual({ tasks: [] });
  // @ts-expect-error: it must be given
  expect(() => createV1Tasks(store, tasks, {})).toThrow('Option principal is undefined');
});

it('task rule 22: a client of SDK v1 gets no longer ttl than the server allows, and sees the real one', async () => {
  const store = await createMemoryStore();
  onTestFinished(() => store.close());
  const tasks = createTaskStore(store, { ttlMs: 5_000 });
  const request = { method: 'tools/call' };
  const given = async (ttl: number | null | undefined, options: { readonly maxTtlMs?: number | null } = {}) => {
    const { taskStore } = createV1Tasks(store, tasks, { principal: 'alice', ...options }).options;
    return (await taskStore.createTask({ ...(ttl !== undefined && { ttl }) }, 1, request)).ttl;
  };
  const day = 86_400_000;
  expect(
    await Promise.all([undefined, 1, day, day + 1, Number.MAX_SAFE_INTEGER, null].map((ttl) => given(ttl))),
  ).toEqual([5_000, 1, day, day, day, day]);
  expect([await given(null, { maxTtlMs: 9_000 }), await given(8_000, { maxTtlMs: 9_000 })]).toEqual([9_000, 8_000]);
  expect([await given(null, { maxTtlMs: null }), await given(day + 1, { maxTtlMs: null })]).toEqual([null, day + 1]);
  expect(() => createV1Tasks(store, tasks, { principal: null, maxTtlMs: 0 })).toThrow('Option maxTtlMs is 0');
});

it('task rule 27: tasks/result of SDK v1 reads a task when it changes, and does not poll', async () => {
  const calls: string[] = [];
  const store = await createMemoryStore({ sweep: false, observe: ({ name }) => void calls.push(name) });
  onTestFinished(() => store.close());
  // A minute: who polls is too late.
  const tasks = createTaskStore(store, { pollIntervalMs: 60_000 });
  const { taskId } = await tasks.create({ principal: 'alice' });
  const worker = await tasks.claim(taskId, { principal: 'alice' });
  const asked: unknown[] = [];
  const results = Array.from({ length: 5 }, async () => {
    type Result = (request: object, extra: object) => Promise<Record<string, unknown>>;
    const served = Promise.withResolvers<Result>();
    const setRequestHandler = (_: unknown, handler: Result): void => served.resolve(handler);
    const request = async (question: unknown) => {
      asked.push(question);
      return { action: 'accept' };
    };
    createV1Tasks(store, tasks, { principal: 'alice' }).serve({ server: { setRequestHandler, request } });
    return (await served.promise)({ params: { taskId } }, { signal: new AbortController().signal });
  });
  const reads = () => calls.filter((name) => name === 'readSession').length;
  await vi.waitFor(() => expect(reads()).toBeGreaterThan(5));
  const before = reads();
  await new Promise((resolve) => setTimeout(resolve, 100));
  // All five wait, and none reads.
  expect(reads()).toBe(before);
  const answers = await worker?.requireInput({ name: { method: 'elicitation/create', params: {} } });
  expect(answers).toEqual({ name: { action: 'accept' } });
  await worker?.complete({ content: [] });
  const _meta = { 'io.modelcontextprotocol/related-task': { taskId } };
  expect(await Promise.all(results)).toEqual(results.map(() => ({ content: [], _meta })));
  // Each asks at most once.
  expect([asked.length > 0, asked.length <= 5]).toEqual([true, true]);
  // Each reads it at the beginning, when it asks, when the answer is there, and at the end; and
  // once to answer.
  expect(reads()).toBeLessThanOrEqual(1 + 5 * 5);
});
