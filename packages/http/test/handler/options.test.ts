import { createMemoryStore } from '@mcp-session/core/memory';
import { McpServer } from '@modelcontextprotocol/server';
import { afterAll, describe, expect, it } from 'vitest';
import { toLambdaHandler } from '../../src/lambda.ts';
import { toNodeHandler } from '../../src/node.ts';
import * as v1 from '../../src/v1.ts';
import * as v2 from '../../src/v2.ts';
import { start } from '../support/harness.ts';
import { lines } from '../support/lines.ts';
import { initialize } from '../support/raw.ts';

const store = await createMemoryStore();
afterAll(() => store.close());

const createServer = (): McpServer => new McpServer({ name: 'test', version: '1.0.0' });
const required = { store, createServer };

describe.each([
  ['v1', (options: object) => v1.createSessionHandler(options as never)],
  ['v2', (options: object) => v2.createSessionHandler(options as never)],
  [
    'both eras',
    (options: object) => v2.createDualEraHandler({ createStatelessServer: createServer, ...options } as never),
  ],
])('options of a handler, %s: a mistake is found at once', (_, create) => {
  it.each([
    [{ ...required, keepAlive: 5_000 }, 'Unknown option keepAlive; did you mean keepAliveMs?'],
    [
      { ...required, sessionIdGenerator: () => 'x' },
      'Unknown option sessionIdGenerator; did you mean generateSessionId?',
    ],
    [{ ...required, allowedOrigin: [] }, 'Unknown option allowedOrigin; did you mean allowedOrigins?'],
    [{ createServer }, 'Option store is undefined, not a session store, such as createMemoryStore gives'],
    [{ createServer, store: createMemoryStore() }, 'Option store is a promise; await the store first'],
    [{ createServer, store: {} }, 'Option store is an object, not a session store, such as createMemoryStore gives'],
    [{ store }, 'Option createServer is undefined, not a function that makes the server of a session'],
    [{ store, createServer: createServer() }, 'Option createServer is an object of class McpServer, not a function'],
    [{ ...required, principal: 'sub' }, 'Option principal is not a function'],
    [{ ...required, generateSessionId: 'x' }, 'Option generateSessionId is not a function'],
    [{ ...required, onRestore: {} }, 'Option onRestore is not a function'],
    [{ ...required, onError: console }, 'Option onError is not a function'],
    [
      { ...required, logger: () => console },
      'Option logger is a function without the function debug; give what pino()',
    ],
    [{ ...required, logger: { ...console, warn: 1 } }, 'Option logger is an object without the function warn'],
    [{ ...required, log: console }, 'Unknown option log; did you mean logger?'],
    [{ ...required, leaseMs: '15s' }, 'Option leaseMs is not a number'],
    [{ ...required, maxLocalSessions: 0 }, 'Option maxLocalSessions is 0, not a whole number from 1'],
    [
      { ...required, onSessionLimit: 'end-oldest' },
      'Option onSessionLimit has no effect without maxSessionsPerPrincipal; set that too',
    ],
    [
      { ...required, addressOf: () => 'a' },
      'Option addressOf has no effect without maxSessionsPerPrincipal; set that too',
    ],
    [{ ...required, user: { ttl: 1 } }, 'Unknown option ttl of user; did you mean ttlMs?'],
    [{ ...required, user: { ttlMs: '1' } }, 'Option ttlMs is not a number'],
    [{ ...required, onStoreError: 'ignore' }, `Option onStoreError is "ignore", not 'fail' or 'degrade'`],
  ])('%o: %s', (options, message) => {
    expect(() => create(options)).toThrow(message);
  });

  it.each([undefined, null, 'store', store, Promise.resolve(required)])('no options at all: %s', (options) => {
    expect(() => create(options as never)).toThrow(TypeError);
  });
});

it('options of both eras', () => {
  const create = (options: object) => () => v2.createDualEraHandler({ ...required, ...options } as never);
  expect(create({})).toThrow('Option createStatelessServer is undefined, not a function');
  expect(create({ createStatelessServer: createServer, stateless: [] })).toThrow('Option stateless is an array');
  expect(create({ createStatelesServer: createServer })).toThrow('did you mean createStatelessServer?');
  expect(() => v2.createStoreEventBus(createMemoryStore() as never)).toThrow('await the store first');
  const options = (stateless: object): object => ({ createStatelessServer: createServer, stateless });
  expect(create(options({ buss: {} }))).toThrow('Unknown option buss of stateless; did you mean bus?');
  expect(create(options({ legacy: 'stateless' }))).toThrow('Option legacy of stateless has no effect');
  expect(create(options({ onerror: console }))).toThrow('Option onerror is not a function');
  for (const [bus, kind] of [
    [5, 'a number'],
    [null, 'null'],
    [Promise.resolve(), 'a promise'],
    [{ publish: () => undefined }, 'an object'],
  ] as const) {
    expect(create(options({ bus }))).toThrow(`Option bus of stateless is ${kind}, not an event bus`);
  }
  // A newer SDK may have more options.
  expect(create(options({ tracing: true, bus: v2.createStoreEventBus(store) }))).not.toThrow();
});

it('options of an event bus', () => {
  expect(() => v2.createStoreEventBus(store, { topic: 'x' } as never)).toThrow('did you mean name?');
  for (const name of ['\u00e4', 'my bus', 'x'.repeat(252)]) {
    expect(() => v2.createStoreEventBus(store, { name })).toThrow(
      new RangeError('Option name is not 1 to 251 visible ASCII characters'),
    );
  }
});

it('options of adapters', () => {
  const handler = v2.createSessionHandler(required);
  const adapters: ((...args: never[]) => unknown)[] = [toNodeHandler, toLambdaHandler];
  for (const adapter of adapters) {
    const adapt = adapter as (...args: unknown[]) => unknown;
    expect(() => adapt(undefined)).toThrow('Handler is undefined, not what createSessionHandler');
    expect(() => adapt(handler.fetch)).toThrow('Handler is a function, not what createSessionHandler');
    expect(() => adapt(handler, { timeout: 1 })).toThrow('Unknown option timeout');
  }
  expect(() => toNodeHandler(handler, { bodyTimeoutMs: 0 })).toThrow(RangeError);
  expect(() => toLambdaHandler(handler, { maxStreamMs: '5s' as never })).toThrow(TypeError);
  expect(() => toLambdaHandler(handler, { authenticate: {} as never })).toThrow(TypeError);
});

describe.each(lines)('options of later calls, SDK $name', (line) => {
  it('fetch refuses a name that looks like authInfo, and accepts what platforms pass', async () => {
    const { handler, errors, store: sessions } = await start(line);
    const post = (options?: unknown): Promise<Response> => {
      const headers = { 'content-type': 'application/json', accept: 'application/json, text/event-stream' };
      const request = new Request('http://localhost/mcp', {
        method: 'POST',
        headers,
        body: JSON.stringify(initialize()),
      });
      return handler.fetch(request, options as never);
    };
    for (const mistaken of [{ authinfo: {} }, { auth: {} }, { token: 'x' }, { body: {} }, 'token', 7]) {
      expect((await post(mistaken)).status).toBe(500);
    }
    expect((await post({ authInfo: null })).status).toBe(500);
    expect(String(errors.at(-1))).toBe(
      'TypeError: The authInfo of a request is null; leave it out for an anonymous request',
    );
    expect((await post({ authInfo: Promise.resolve({}) })).status).toBe(500);
    expect(String(errors[0])).toBe('TypeError: Unknown option authinfo of fetch; did you mean authInfo?');
    expect(String(errors.at(-1))).toBe('TypeError: The authInfo of a request is a promise: await it first');
    expect(await sessions.count()).toBe(0);
    for (const passed of [undefined, null, {}, { params: Promise.resolve({}) }, new Map(), { remoteAddr: {} }]) {
      expect((await post(passed)).status).toBe(200);
    }
  });

  it('close checks its options', async () => {
    const { handler } = await start(line);
    await expect(handler.close({ drain: 5 } as never)).rejects.toThrow('did you mean drainMs?');
    await expect(handler.close({ drainMs: -1 })).rejects.toThrow(RangeError);
  });

  it('all functions of a handler work unbound', async () => {
    const { handler } = await start(line);
    const { fetch, broadcast, close } = handler;
    expect((await fetch(new Request('http://localhost/mcp'))).status).toBe(400);
    expect(await broadcast({ method: 'notifications/tools/list_changed' })).toBe(0);
    await close();
    expect((await fetch(new Request('http://localhost/mcp', { method: 'DELETE' }))).status).toBe(503);
  });
});

it('a createServer that returns nothing or a used server is a 500, and onError gets the remedy', async () => {
  const shared = createServer();
  for (const [create, message] of [
    [() => undefined, 'Option createServer returned undefined; return an McpServer'],
    [async () => ({}), 'Option createServer returned an object; return an McpServer'],
    [() => shared, 'Option createServer returned the same server again; make a new one each time it is called'],
  ] as const) {
    const errors: unknown[] = [];
    const handler = v2.createSessionHandler({
      store,
      createServer: create as never,
      onError: (e) => void errors.push(e),
    });
    const { fetch } = handler;
    const post = (): Promise<Response> =>
      fetch(
        new Request('http://localhost/mcp', {
          method: 'POST',
          headers: { 'content-type': 'application/json', accept: '*/*' },
          body: JSON.stringify(initialize()),
        }),
      );
    if (create() === shared) expect((await post()).status).toBe(200);
    const refused = await post();
    expect(refused.status).toBe(500);
    expect(await refused.text()).toContain('Internal server error');
    expect(errors.map(String)).toEqual([`TypeError: ${message}`]);
    await handler.close();
  }
});
