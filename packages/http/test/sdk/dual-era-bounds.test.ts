import { createMemoryStore } from '@mcp-session/core/memory';
import type { McpServer } from '@modelcontextprotocol/server';
import { describe, expect, it, onTestFinished } from 'vitest';
import { createDualEraHandler } from '../../src/v2.ts';
import { eventually, gate } from '../support/harness.ts';
import { connectModern, makeServer, REVISION } from '../support/modern.ts';
import { RawClient } from '../support/raw.ts';
import { Seen } from '../support/seen.ts';
import { serve } from '../support/serve.ts';

describe('how many requests of revision 2026-07-28 are answered at once', () => {
  it('one of the principal or the process too many is refused, together with those of sessions', async () => {
    const { passed, open } = gate();
    const seen = new Seen();
    let begun = 0;
    const withWait = (): McpServer => {
      const server = makeServer('any');
      server.registerTool('wait', {}, async () => {
        begun++;
        await passed;
        return { content: [{ type: 'text', text: 'done' }] };
      });
      return server;
    };
    const store = await createMemoryStore();
    const handler = createDualEraHandler({
      store,
      createServer: withWait,
      createStatelessServer: withWait,
      principal: (_, request) => request.headers.get('x-user'),
      maxOpenRequestsPerPrincipal: 2,
      maxOpenRequestsPerProcess: 3,
      observe: seen.observe,
    });
    const served = await serve(handler);
    onTestFinished(async () => {
      await handler.close();
      await served.close();
      await store.close();
    });
    const as = (user: string): typeof fetch => {
      return (input, init) => {
        const headers = new Headers(init?.headers);
        headers.set('x-user', user);
        return fetch(input, { ...init, headers });
      };
    };
    const alice = (await connectModern(served.url, { fetch: as('alice') })).client;
    const bob = await connectModern(served.url, { fetch: as('bob') });
    const session = new RawClient(served.url, { 'x-user': 'alice' });
    await session.begin();
    const refused = (): string[] => seen.of('refused').map(({ status, reason }) => `${status} ${reason}`);

    const calls = [alice.callTool({ name: 'wait', arguments: {} }), alice.callTool({ name: 'wait', arguments: {} })];
    await eventually(() => begun === 2);
    await expect(alice.callTool({ name: 'era', arguments: {} })).rejects.toThrow('more than 2 unanswered');
    expect((await session.callTool('era')).status).toBe(429);
    const abort = new AbortController();
    const left = bob.client.callTool({ name: 'wait', arguments: {} }, { signal: abort.signal });
    left.catch(() => undefined);
    await eventually(() => begun === 3);
    await expect(bob.client.callTool({ name: 'era', arguments: {} })).rejects.toThrow('Too many requests');
    expect(refused()).toEqual(['429 too-many-requests', '429 too-many-requests', '503 too-many-requests']);
    // A stream is no request.
    const subscription = await bob.listen();
    await subscription.close();
    // A client that leaves cancels its request.
    abort.abort();
    await eventually(() =>
      bob.client.callTool({ name: 'era', arguments: {} }).then(
        () => true,
        () => false,
      ),
    );
    open();
    for (const { content } of await Promise.all(calls)) expect(content).toEqual([{ type: 'text', text: 'done' }]);
    expect((await alice.callTool({ name: 'era', arguments: {} })).content).toEqual([{ type: 'text', text: 'any' }]);
    for (const client of [alice, bob.client]) await client.close();
  });

  it.each([
    ['notifications/progress', 'maxOpenRequestsPerProcess', 'too-many-requests'],
    ['subscriptions/listen', 'maxOpenStreams', 'too-many-streams'],
  ])('the servers of %s that are being made have a bound', async (method, bound, reason) => {
    const [begun, go] = [gate(), gate()];
    const seen = new Seen();
    const store = await createMemoryStore();
    const handler = createDualEraHandler({
      store,
      createServer: () => makeServer('session'),
      createStatelessServer: async () => {
        begun.open();
        await go.passed;
        return makeServer('stateless');
      },
      [bound]: 1,
      observe: seen.observe,
    });
    onTestFinished(async () => {
      await handler.close();
      await store.close();
    });
    const post = (): Promise<Response> => {
      const headers = {
        'content-type': 'application/json',
        accept: 'application/json, text/event-stream',
        'mcp-protocol-version': REVISION,
        'mcp-method': method,
      };
      const _meta = {
        'io.modelcontextprotocol/protocolVersion': REVISION,
        'io.modelcontextprotocol/clientInfo': { name: 'raw', version: '1' },
        'io.modelcontextprotocol/clientCapabilities': {},
      };
      const params = { notifications: {}, progressToken: 1, progress: 1, _meta };
      const id = method.startsWith('notifications/') ? {} : { id: 1 };
      const body = JSON.stringify({ jsonrpc: '2.0', ...id, method, params });
      return handler.fetch(new Request('http://localhost/mcp', { method: 'POST', headers, body }));
    };
    const first = post();
    await begun.passed;
    const refused = await post();
    expect([refused.status, refused.headers.get('retry-after')]).toEqual([503, '5']);
    expect(seen.of('refused').map((event) => event.reason)).toEqual([reason]);
    go.open();
    expect((await first).ok).toBe(true);
    // The place is free again, though a stream of subscriptions/listen is open.
    await eventually(async () => {
      const { ok, body } = await post();
      await body?.cancel();
      return ok;
    });
    await (await first).body?.cancel();
  });
});
