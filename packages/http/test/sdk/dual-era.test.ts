import { createMemoryStore } from '@mcp-session/core/memory';
import { createSqliteStore } from '@mcp-session/sqlite';
import { Client, StreamableHTTPClientTransport } from '@modelcontextprotocol/client';
import { requireBearerAuth } from '@modelcontextprotocol/express';
import { McpServer, type ServerEvent } from '@modelcontextprotocol/server';
import express from 'express';
import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { describe, expect, it, onTestFinished } from 'vitest';
import { toNodeHandler } from '../../src/node.ts';
import { createDualEraHandler, createStoreEventBus } from '../../src/v2.ts';
import { eventually } from '../support/harness.ts';
import { newFile } from '../support/nodes.ts';
import { verifyV2 } from '../support/adapter.ts';
import { initialize, RawClient } from '../support/raw.ts';
import { recordOf } from '../support/record.ts';
import { v1 } from '../support/v1.ts';
import { v2 } from '../support/v2.ts';

function makeServer(era: string): McpServer {
  const server = new McpServer({ name: 'dual', version: '1.0.0' });
  server.registerTool('era', {}, () => ({ content: [{ type: 'text', text: era }] }));
  return server;
}

it('one endpoint serves the revisions with sessions and 2026-07-28, and stores nothing for the latter', async () => {
  const calls: string[] = [];
  const store = await createMemoryStore({ observe: ({ name }) => void calls.push(name) });
  const handler = createDualEraHandler({
    store,
    createServer: () => makeServer('session'),
    createStatelessServer: () => makeServer('stateless'),
    allowedOrigins: ['http://good.example'],
  });
  const listener = toNodeHandler(handler);
  const server = createServer((request, response) => void listener(request, response));
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  onTestFinished(async () => {
    await handler.close();
    server.closeAllConnections();
    server.close();
    await store.close();
  });
  const url = new URL(`http://127.0.0.1:${(server.address() as AddressInfo).port}/mcp`);

  const old = await v1.connect(url);
  expect([await old.call('era'), old.sessionId !== '']).toEqual(['session', true]);
  const standalone = () => recordOf(store, old.sessionId);
  await eventually(async () => (await standalone()).nodeId !== undefined);
  await old.close();
  await eventually(async () => (await standalone()).nodeId === undefined);
  calls.splice(0);
  const transport = new StreamableHTTPClientTransport(url);
  const modern = new Client(
    { name: 'modern', version: '1.0.0' },
    { versionNegotiation: { mode: { pin: '2026-07-28' } } },
  );
  await modern.connect(transport);
  const { content } = await modern.callTool({ name: 'era', arguments: {} });
  expect([content, transport.sessionId]).toEqual([[{ type: 'text', text: 'stateless' }], undefined]);
  await modern.close();
  // Rule 21: no sessions, no GET, no DELETE, whatever a client sends beside.
  const raw = new RawClient(url, { 'mcp-protocol-version': '2026-07-28', 'mcp-session-id': old.sessionId });
  expect([(await raw.get({ 'last-event-id': '1.x.y' })).status, (await raw.delete()).status]).toEqual([405, 405]);
  expect(calls).toEqual([]);
  expect((await raw.post({}, { origin: 'http://evil.example' })).status).toBe(403);
  expect(await store.get(old.sessionId)).toBeDefined();
});

/** What tells of itself in both eras: who asks, and in which. */
function whoServer(era: string): McpServer {
  const server = new McpServer({ name: 'who', version: '1.0.0' });
  server.registerTool('who', {}, ({ http }) => ({
    content: [{ type: 'text', text: `${era} ${String(http?.authInfo?.extra?.['sub'])}` }],
  }));
  return server;
}

describe('both eras behind Express', () => {
  const errors: unknown[] = [];

  /** With the body parsed before the handler is asked, or not. */
  async function listen(parsed: boolean): Promise<URL> {
    const store = await createMemoryStore();
    errors.splice(0);
    const handler = createDualEraHandler({
      store,
      maxBodyBytes: 10_000,
      createServer: () => whoServer('session'),
      createStatelessServer: ({ requestInfo }) => {
        if (requestInfo?.headers.get('x-fail') === 'yes') throw new Error('No server today');
        return whoServer('stateless');
      },
      onError: (error) => {
        errors.push(error);
        throw new Error('The callback fails as well');
      },
    });
    const app = express();
    if (parsed) app.use(express.json());
    const verifier = { verifyAccessToken: verifyV2 };
    app.all('/mcp', requireBearerAuth({ verifier }), toNodeHandler(handler));
    const server = app.listen(0, '127.0.0.1');
    await once(server, 'listening');
    onTestFinished(async () => {
      await handler.close();
      server.closeAllConnections();
      server.close();
      await store.close();
    });
    return new URL(`http://127.0.0.1:${(server.address() as AddressInfo).port}/mcp`);
  }

  const headers = { authorization: 'Bearer ada' };

  async function connect(url: URL, more: Record<string, string> = {}): Promise<Client> {
    const client = new Client(
      { name: 'modern', version: '1.0.0' },
      { versionNegotiation: { mode: { pin: '2026-07-28' } } },
    );
    await client.connect(new StreamableHTTPClientTransport(url, { requestInit: { headers: { ...headers, ...more } } }));
    onTestFinished(() => client.close());
    return client;
  }

  it.each([true, false])('the server gets the user, even if the body was parsed: %s', async (parsed) => {
    const url = await listen(parsed);
    for (const line of [v1, v2]) {
      const old = await line.connect(url, { headers });
      expect(await old.call('who')).toBe('session ada');
      const bob = new RawClient(url, { authorization: 'Bearer bob', 'mcp-session-id': old.sessionId });
      expect((await bob.callTool('who')).status).toBe(404);
      await old.close();
    }
    const modern = await connect(url);
    expect((await modern.callTool({ name: 'who', arguments: {} })).content).toEqual([
      { type: 'text', text: 'stateless ada' },
    ]);
    expect((await new RawClient(url).post(initialize())).status).toBe(401);
    expect(errors).toEqual([]);
  });

  it('bodies that are too large are refused in both, and onError gets a server that cannot be made', async () => {
    const url = await listen(false);
    const large = { ...initialize(), padding: 'x'.repeat(10_000) };
    expect((await new RawClient(url, headers).post(large)).status).toBe(413);
    const modern = new RawClient(url, { ...headers, 'mcp-protocol-version': '2026-07-28' });
    expect((await modern.post({ ...large, method: 'tools/list' })).status).toBe(413);
    expect(errors).toEqual([]);

    await expect(connect(url, { 'x-fail': 'yes' })).rejects.toThrow(/internal|discover|version/i);
    expect(errors).toContainEqual(new Error('No server today'));
    // It goes on all the same.
    await connect(url);
  });
});

it('an event bus over a store: a listener gets what any node publishes from then on, once', async () => {
  const path = await newFile();
  const stores = [await createSqliteStore({ path }), await createSqliteStore({ path })];
  onTestFinished(async () => {
    await Promise.all(stores.map((store) => store.close()));
  });
  const errors: unknown[] = [];
  const [a, b] = stores.map((store) => createStoreEventBus(store, { onError: (error) => void errors.push(error) }));
  if (a === undefined || b === undefined) throw new Error('There are two');
  a.publish({ kind: 'tools_list_changed' });
  await a.settled();
  const heard: [string, ServerEvent][] = [];
  const stop = [a.subscribe((event) => heard.push(['a', event])), b.subscribe((event) => heard.push(['b', event]))];
  await Promise.all([a.settled(), b.settled()]);
  const event: ServerEvent = { kind: 'resource_updated', uri: 'a:b' };
  a.publish(event);
  expect(heard).toEqual([['a', event]]);
  await eventually(() => heard.length === 2);
  b.publish({ kind: 'prompts_list_changed' });
  await eventually(() => heard.length === 4);
  expect(heard.map(([who]) => who)).toEqual(['a', 'b', 'b', 'a']);
  for (const end of [...stop, ...stop]) end();
  a.publish(event);
  await a.settled();
  expect([heard.length, errors]).toEqual([4, []]);
});
