import type { SessionStore, StateSchemas, UserRecord } from '@mcp-session/core';
import { createMemoryStore } from '@mcp-session/core/memory';
import { Client, StreamableHTTPClientTransport } from '@modelcontextprotocol/client';
import { McpServer as V1Server } from '@modelcontextprotocol/sdk/server/mcp.js';
import { McpServer } from '@modelcontextprotocol/server';
import { expect, expectTypeOf, it, onTestFinished } from 'vitest';
import * as z from 'zod';
import { createSessionHandler as createV1Handler } from '../../src/v1.ts';
import { createDualEraHandler, defaultPrincipal, type UserContext } from '../../src/v2.ts';
import { serve } from '../support/serve.ts';
import { v1 } from '../support/v1.ts';
import { v2 } from '../support/v2.ts';

type Text = { content: { type: 'text'; text: string }[] };

/** Counts the calls of a user in the user's record; `idle` does not use it. */
async function count({ user }: Pick<UserContext, 'user'>): Promise<Text> {
  const calls: unknown = await user?.state.update('calls', (n: number = 0) => n + 1);
  return { content: [{ type: 'text', text: String(calls) }] };
}

function makeServer(context: Pick<UserContext, 'user' | 'principal'>): McpServer {
  const server = new McpServer({ name: 'user', version: '1.0.0' });
  server.registerTool('count', {}, () => count(context));
  server.registerTool('whoami', {}, () => ({ content: [{ type: 'text', text: String(context.principal) }] }));
  server.registerTool('idle', {}, () => ({ content: [{ type: 'text', text: 'idle' }] }));
  return server;
}

interface Endpoint {
  readonly store: SessionStore;
  readonly calls: string[];
  readonly url: URL;
  readonly errors: unknown[];
}

async function listen(): Promise<Endpoint> {
  const calls: string[] = [];
  const errors: unknown[] = [];
  const store = await createMemoryStore({ sweep: false, observe: ({ name }) => void calls.push(name) });
  const handler = createDualEraHandler({
    store,
    createServer: makeServer,
    createStatelessServer: makeServer,
    onError: (error) => void errors.push(error),
  });
  const served = await serve(handler);
  onTestFinished(async () => {
    await handler.close();
    await served.close();
    await store.close();
  });
  return { store, calls, url: served.url, errors };
}

async function connectModern(url: URL, token: string | undefined): Promise<(tool: string) => Promise<string>> {
  const client = new Client(
    { name: 'modern', version: '1.0.0' },
    { versionNegotiation: { mode: { pin: '2026-07-28' } } },
  );
  const headers = token === undefined ? {} : { authorization: `Bearer ${token}` };
  await client.connect(new StreamableHTTPClientTransport(url, { requestInit: { headers } }));
  onTestFinished(() => client.close());
  return async (name) => {
    const { content } = await client.callTool({ name, arguments: {} });
    return (content as Text['content'])[0]?.text ?? '';
  };
}

const ALICE = 'https://issuer|alice';

it("one user's record serves sessions of both SDK lines and requests of 2026-07-28, and a script", async () => {
  const { store, url, calls } = await listen();
  const modern = await connectModern(url, `${ALICE}|chat`);
  expect(await modern('count')).toBe('1');
  for (const [index, line] of [v1, v2].entries()) {
    const headers = { authorization: `Bearer ${ALICE}|app-${index}` };
    const session = await line.connect(url, { headers });
    expect(await session.call('count')).toBe(String(index + 2));
    await session.close();
  }
  const bob = await connectModern(url, 'https://issuer|bob|chat');
  expect(await bob('count')).toBe('1');

  const script = store.forPrincipal(defaultPrincipal({ extra: { iss: 'https://issuer', sub: 'alice' } }) ?? '');
  expect([script.principal, await script.state.get('calls')]).toEqual([ALICE, 3]);
  await script.end();
  expect(await modern('count')).toBe('1');

  calls.splice(0);
  expect([await modern('idle'), await modern('whoami')]).toEqual(['idle', ALICE]);
  expect(calls).toEqual([]);
  await modern('count');
  expect(calls).toEqual(['readSession', 'readState', 'commitState']);
});

it('an anonymous client has no record, in either era', async () => {
  const { url, store, errors } = await listen();
  const modern = await connectModern(url, undefined);
  expect([await modern('whoami'), await modern('count')]).toEqual(['null', 'undefined']);
  const session = await v2.connect(url);
  expect([await session.call('whoami'), await session.call('count')]).toEqual(['null', 'undefined']);
  await session.close();
  expect([await store.count({ kind: 'user' }), errors]).toEqual([0, []]);
});

it('an authenticated request without a principal fails only where a server of 2026-07-28 asks who it is', async () => {
  const { url, errors } = await listen();
  const modern = await connectModern(url, 'https://issuer');
  expect(await modern('idle')).toBe('idle');
  expect(errors).toEqual([]);
  expect(await modern('whoami')).toMatch(/principal/i);
});

it('the record has schemas and a lifetime of its own, checked when the handler is made', async () => {
  let now = 1_700_000_000_000;
  const store = await createMemoryStore({ sweep: false, clock: () => now, state: { count: z.number() } });
  onTestFinished(() => store.close());
  const user = { state: { calls: z.number() }, ttlMs: 1_000 };
  const handler = createV1Handler({
    store,
    user,
    createServer: (context) => {
      expectTypeOf(context.user).toEqualTypeOf<UserRecord<typeof user.state> | undefined>();
      const server = new V1Server({ name: 'user', version: '1.0.0' });
      server.registerTool('count', {}, async () => {
        const calls = await context.user?.state.update('calls', (n = 0) => n + 1);
        return { content: [{ type: 'text', text: String(calls) }] };
      });
      return server;
    },
  });
  const served = await serve(handler);
  onTestFinished(async () => {
    await handler.close();
    await served.close();
  });
  const session = await v1.connect(served.url, { headers: { authorization: `Bearer ${ALICE}` } });
  expect([await session.call('count'), await session.call('count')]).toEqual(['1', '2']);
  now += 1_000;
  expect(await session.call('count')).toBe('1');
  await session.close();

  const createServer = (): V1Server => new V1Server({ name: 'user', version: '1.0.0' });
  expect(() => createV1Handler({ store, createServer, user: { ttlMs: 0 } })).toThrow('Option ttlMs is 0');
  // @ts-expect-error: the name is wrong
  expect(() => createV1Handler({ store, createServer, user: { ttl: 1 } })).toThrow('did you mean ttlMs?');
  expectTypeOf<UserContext['user']>().toEqualTypeOf<UserRecord<StateSchemas> | undefined>();
});
