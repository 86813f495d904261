import type { SessionStore } from '@mcp-session/core';
import { createMemoryStore } from '@mcp-session/core/memory';
import { McpServer as V1Server } from '@modelcontextprotocol/sdk/server/mcp.js';
import { McpServer } from '@modelcontextprotocol/server';
import { expect, it, onTestFinished } from 'vitest';
import { createTaskStore, type TaskStore } from '../src/index.ts';
import { createV1Tasks } from '../src/v1.ts';
import { type FetchHandler, serveTaskNotifications, serveTasks } from '../src/v2.ts';
import { handlers } from './support/listening.ts';

const info = { name: 'reports', version: '1.0.0' };
const nobody = { principal: () => null };

async function stores(): Promise<{ readonly store: SessionStore; readonly tasks: TaskStore }> {
  const store = await createMemoryStore({ sweep: false });
  onTestFinished(() => store.close());
  return { store, tasks: createTaskStore(store) };
}

/** Calls with what TypeScript would refuse. @returns The error. */
function thrownBy(call: () => unknown): unknown {
  try {
    call();
  } catch (error) {
    return error;
  }
  return 'nothing';
}

function isTypeError(text: string): unknown {
  return expect.objectContaining({ name: 'TypeError', message: expect.stringContaining(text) as string });
}

it('a function of this package says what it was given instead of a task store', async () => {
  const { store } = await stores();
  const server = new McpServer(info);
  const handler = handlers[0]?.[1](store);
  for (const [given, kind] of [
    [undefined, 'undefined'],
    [Promise.resolve(), 'a promise'],
    [store, 'an object of class'],
    [{}, 'an object'],
  ] as const) {
    const tasks = given as unknown as TaskStore;
    expect([
      thrownBy(() => serveTasks(server, tasks, nobody)),
      thrownBy(() => serveTaskNotifications(handler as FetchHandler, tasks, nobody)),
      thrownBy(() => createV1Tasks(store, tasks, { principal: null })),
    ]).toEqual([
      isTypeError(`Task store of serveTasks is ${kind}`),
      isTypeError(`Task store of serveTaskNotifications is ${kind}`),
      isTypeError(`Task store of createV1Tasks is ${kind}`),
    ]);
  }
});

it('serveTasks says what it was given instead of a server of SDK v2', async () => {
  const { tasks } = await stores();
  const sdk = '@modelcontextprotocol/server';
  for (const [given, text] of [
    [undefined, `is undefined, not an McpServer of ${sdk}`],
    [Promise.resolve(new McpServer(info)), `is a promise, not an McpServer of ${sdk}; await it first`],
    [{ server: {} }, `is an object, not an McpServer of ${sdk}`],
    [new McpServer(info).server, `is a Server, not an McpServer of ${sdk}; give the McpServer that has it`],
    [new V1Server(info), `is an McpServer of @modelcontextprotocol/sdk; give one of ${sdk}`],
  ] as const) {
    const error = thrownBy(() => serveTasks(given as unknown as McpServer, tasks, nobody));
    expect(error).toEqual(isTypeError(`Server of serveTasks ${text}`));
  }
  const server = new McpServer(info);
  serveTasks(server, tasks, nobody);
  expect(thrownBy(() => serveTasks(server, tasks, nobody))).toEqual(isTypeError('The server has tasks already'));
});

it('serveTaskNotifications says what it was given instead of a handler', async () => {
  const { tasks } = await stores();
  for (const [given, kind] of [
    [undefined, 'undefined'],
    [Promise.resolve({}), 'a promise'],
    [{}, 'an object'],
    [async () => 1, 'a function'],
    [{ fetch: async () => new Response() }, 'an object'],
  ] as const) {
    expect(thrownBy(() => serveTaskNotifications(given as unknown as FetchHandler, tasks, nobody))).toEqual(
      isTypeError(`Handler of serveTaskNotifications is ${kind}, not a handler, such as createDualEraHandler makes`),
    );
  }
});

it('createV1Tasks says what it was given instead of a session store, a principal or a server of SDK v1', async () => {
  const { store, tasks } = await stores();
  for (const [given, kind] of [
    [undefined, 'undefined'],
    [createMemoryStore(), 'a promise'],
    [tasks, 'an object of class Tasks'],
  ] as const) {
    const error = thrownBy(() => createV1Tasks(given as unknown as SessionStore, tasks, { principal: null }));
    expect(error).toEqual(isTypeError(`Store of createV1Tasks is ${kind}, not a session store`));
  }
  for (const [principal, kind] of [
    ['', 'empty'],
    [undefined, 'undefined'],
    [7, 'a number'],
    [() => 'alice', 'a function'],
  ] as const) {
    const error = thrownBy(() => createV1Tasks(store, tasks, { principal: principal as string }));
    expect(error).toEqual(isTypeError(`Option principal is ${kind}; give a string, or null`));
  }
  const { options, serve } = createV1Tasks(store, tasks, { principal: null });
  const sdk = '@modelcontextprotocol/sdk';
  for (const [given, text] of [
    [undefined, `is undefined, not an McpServer of ${sdk}`],
    [new V1Server(info, options).server, `is a Server, not an McpServer of ${sdk}; give the McpServer that has it`],
    [new McpServer(info), `is an McpServer of @modelcontextprotocol/server; give one of ${sdk}`],
    [new V1Server(info), 'has no tasks; make it with the options of createV1Tasks'],
  ] as const) {
    expect(thrownBy(() => serve(given as unknown as V1Server))).toEqual(isTypeError(`Server of serve ${text}`));
  }
  serve(new V1Server(info, options));
});
