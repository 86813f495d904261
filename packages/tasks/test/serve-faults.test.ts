import { SessionError, type SessionStore } from '@mcp-session/core';
import { createSessionStore } from '@mcp-session/core/backend';
import { createMemoryBackend } from '@mcp-session/core/memory';
import { createMcpHandler, McpServer, ProtocolError } from '@modelcontextprotocol/server';
import { expect, it, onTestFinished, vi } from 'vitest';
import { createTaskStore, type TaskStore, type TaskStoreOptions } from '../src/index.ts';
import { serveTasks, type ServeTasksOptions } from '../src/v2.ts';
import { tokenOf } from './support/listening.ts';
import { mistakesOf } from './support/mistakes.ts';
import { type Answer, answerOf, modernRequest } from './support/request.ts';

const METHODS = ['tasks/get', 'tasks/update', 'tasks/cancel'] as const;
const INTERNAL = { code: -32_603, message: 'Internal server error' };

interface Sending {
  /** Of the tool. Default: the id of the task. */
  readonly name?: string;
  readonly isAnonymous?: boolean;
}

interface Serving {
  readonly store: SessionStore;
  readonly errors: unknown[];
  /** Lets each read of a session fail from now on. */
  readonly fail: (error: SessionError) => void;
  /** Sends a request about a task of alice, with her token unless it is anonymous. */
  readonly send: (method: string, sending?: Sending) => Promise<Answer>;
}

interface Parts {
  readonly wrap?: (tasks: TaskStore) => TaskStore;
  /** Default: `onError` collects the errors. */
  readonly options?: TaskStoreOptions;
}

async function serving(principal: ServeTasksOptions['principal'], parts: Parts = {}): Promise<Serving> {
  const backend = createMemoryBackend();
  const store = await createSessionStore(backend, { sweep: false });
  onTestFinished(() => store.close());
  const errors: unknown[] = [];
  const { wrap = (tasks) => tasks, options = { onError: (error) => void errors.push(error) } } = parts;
  const tasks = wrap(createTaskStore(store, options));
  const handler = createMcpHandler(() => {
    const server = new McpServer({ name: 'reports', version: '1.0.0' });
    const served = serveTasks(server, tasks, { principal });
    server.registerTool('report', {}, async (context) => served.create(context));
    return server;
  });
  const { taskId } = await tasks.create({ principal: 'alice' });
  return {
    store,
    errors,
    fail: (error) => void Object.assign(backend, { readSession: async () => Promise.reject(error) }),
    send: async (method, { name = taskId, isAnonymous = false } = {}) => {
      const params = { taskId, name, arguments: {}, inputResponses: {} };
      const request = modernRequest('http://localhost/mcp', method, params, { name });
      return answerOf(await handler.fetch(request, isAnonymous ? {} : { authInfo: tokenOf('alice') }));
    },
  };
}

it.each(mistakesOf('serveTasks'))(
  'task rule 39: a principal that is %s gets no task, and is reported in words that no client sees',
  async (_name, principal, message) => {
    const { send, errors } = await serving(principal);
    for (const method of METHODS) {
      const { error } = await send(method);
      expect(error).toMatchObject({ code: -32_603 });
      expect(JSON.stringify(error)).not.toContain('lookup');
      expect(errors.splice(0)).toEqual([
        expect.objectContaining({ message: expect.stringContaining(message) as string }),
      ]);
    }
  },
);

it('task rule 39: a tool whose principal fails makes no task, and tells its client nothing of the cause', async () => {
  const { send, errors, store } = await serving(async () => Promise.reject(new Error('lookup failed')));

  expect(await send('tools/call', { name: 'report' })).toMatchObject({
    result: { isError: true, content: [{ text: INTERNAL.message }] },
  });
  expect(errors).toEqual([new Error('lookup failed')]);
  // That of alice.
  expect(await store.ofKind('task', {}).count()).toBe(1);
});

it('task rule 39: a ProtocolError of the option principal is the answer, and is no fault', async () => {
  const { send, errors } = await serving(() => {
    throw new ProtocolError(-32_001, 'Log in again');
  });
  for (const method of METHODS) {
    expect(await send(method)).toMatchObject({ error: { code: -32_001, message: 'Log in again' } });
  }
  expect(errors).toEqual([]);
});

it('task rule 39: null is an anonymous client where nobody has verified a token', async () => {
  const { send, errors } = await serving(() => null);
  for (const method of METHODS) {
    expect(await send(method, { isAnonymous: true })).toMatchObject({ error: { message: 'Task not found' } });
    expect(await send(method)).toMatchObject({ error: INTERNAL });
  }
  expect(errors).toHaveLength(METHODS.length);
});

it('task rule 39: a store that fails is reported', async () => {
  const { send, errors, fail } = await serving(() => 'alice');
  const away = new SessionError('STORE_UNAVAILABLE', 'Session store is unavailable', { retryable: true });
  fail(away);
  for (const method of METHODS) {
    expect(await send(method)).toMatchObject({ error: { code: -32_603, message: away.message } });
    expect(errors.splice(0)).toEqual([away]);
  }
});

it.each<[string, (tasks: TaskStore) => TaskStore]>([
  ['a task store without onError', (tasks) => tasks],
  ['a task store that wraps another one', (tasks) => new Proxy(tasks, { get: (target, name) => bound(target, name) })],
])('task rule 39: %s reports to the console, once for all servers', async (_name, wrap) => {
  const lines = vi.spyOn(console, 'error').mockReturnValue(undefined);
  onTestFinished(() => lines.mockRestore());
  const { send } = await serving(() => '', { wrap, options: {} });
  for (const method of METHODS) expect(await send(method)).toMatchObject({ error: INTERNAL });

  expect(lines.mock.calls).toHaveLength(1);
  expect(String(lines.mock.calls[0])).toContain('Option principal of serveTasks returned an empty string');
});

function bound(target: object, name: string | symbol): unknown {
  const value: unknown = Reflect.get(target, name, target);
  return typeof value === 'function' ? (value.bind(target) as unknown) : value;
}
