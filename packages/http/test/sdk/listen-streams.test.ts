import { createMemoryStore } from '@mcp-session/core/memory';
import { type AuthInfo, InMemoryServerEventBus } from '@modelcontextprotocol/server';
import { describe, expect, it, onTestFinished } from 'vitest';
import {
  createDualEraHandler,
  createStoreEventBus,
  type DualEraHandler,
  type DualEraHandlerOptions,
} from '../../src/v2.ts';
import { addresses } from '../support/addresses.ts';
import { openStore } from '../support/chaos-store.ts';
import { eventually, gate } from '../support/harness.ts';
import type { Json } from '../support/line.ts';
import { makeServer, REVISION } from '../support/modern.ts';
import { SseReader } from '../support/raw.ts';
import { serve } from '../support/serve.ts';

const CHANGED = 'notifications/tools/list_changed';
const ACKNOWLEDGED = 'notifications/subscriptions/acknowledged';

const tokenOf = (subject: string, expiresAt?: number): AuthInfo => ({
  token: subject,
  clientId: 'app',
  scopes: [],
  extra: { iss: 'https://issuer', sub: subject },
  ...(expiresAt !== undefined && { expiresAt }),
});

const soon = (): number => (Date.now() + 1_000) / 1_000;

/** What a client of 2026-07-28 posts. */
function posted(method: string, params: Json): RequestInit & { readonly headers: Record<string, string> } {
  const _meta = {
    'io.modelcontextprotocol/protocolVersion': REVISION,
    'io.modelcontextprotocol/clientInfo': { name: 'raw', version: '1' },
    'io.modelcontextprotocol/clientCapabilities': {},
  };
  return {
    method: 'POST',
    headers: {
      'content-type': 'application/json',
      accept: 'application/json, text/event-stream',
      'mcp-protocol-version': REVISION,
      'mcp-method': method,
      ...(typeof params['name'] === 'string' && { 'mcp-name': params['name'] }),
    },
    body: JSON.stringify({ jsonrpc: '2.0', id: 1, method, params: { ...params, _meta } }),
  };
}

const LISTEN = posted('subscriptions/listen', { notifications: { toolsListChanged: true } });

async function listen(handler: DualEraHandler, authInfo?: AuthInfo, signal?: AbortSignal): Promise<SseReader> {
  const request = new Request('http://localhost/mcp', { ...LISTEN, ...(signal && { signal }) });
  const { body } = await handler.fetch(request, { authInfo });
  const stream = new SseReader(body as ReadableStream<Uint8Array>);
  expect((await stream.message()).message).toMatchObject({ method: ACKNOWLEDGED });
  return stream;
}

/** The messages of a stream from here to its end. */
async function toEnd(stream: SseReader): Promise<unknown[]> {
  return (await stream.rest()).flatMap(({ data }) => (data ? [(JSON.parse(data) as Json)['method'] ?? 'result'] : []));
}

async function start(options: Partial<DualEraHandlerOptions> = {}) {
  const store = await createMemoryStore();
  const bus = new InMemoryServerEventBus();
  const handler = createDualEraHandler({
    store,
    createServer: () => makeServer('session'),
    createStatelessServer: () => makeServer('stateless'),
    stateless: { bus },
    ...options,
  });
  onTestFinished(async () => {
    await handler.close();
    await store.close();
  });
  return { handler, bus };
}

describe('a stream of subscriptions/listen', () => {
  it('rule 39: ends when its token expires, as a lost connection does, and others go on', async () => {
    const { handler, bus } = await start();
    const lasting = [await listen(handler, tokenOf('ada')), await listen(handler)];
    const ending = await listen(handler, tokenOf('ada', soon()));
    expect(await toEnd(ending)).toEqual([]);
    // Two for each stream that is left: the SDK's and ours.
    await eventually(() => bus.listenerCount === 4);
    handler.notify.toolsChanged();
    for (const stream of lasting) {
      expect((await stream.message()).message['method']).toBe(CHANGED);
      await stream.cancel();
    }
    await eventually(() => bus.listenerCount === 0);
  });

  it('rule 39: ends once the access of its principal does, and that of nobody else', async () => {
    const { handler } = await start();
    const [ada, bob, nobody] = [
      await listen(handler, tokenOf('ada')),
      await listen(handler, tokenOf('bob')),
      await listen(handler),
    ];
    expect(await handler.endAll({ principal: 'https://issuer|ada' })).toBe(0);
    expect(await toEnd(ada)).toEqual([]);
    await handler.endAll({ principal: null });
    expect(await toEnd(nobody)).toEqual([]);
    handler.notify.toolsChanged();
    expect((await bob.message()).message['method']).toBe(CHANGED);
    await handler.close();
    expect(await toEnd(bob)).toEqual(['result']);
  });

  it('an unknown principal does not keep a client from listening', async () => {
    const principal = (): never => {
      throw new Error('Lookup failed');
    };
    const { handler, bus } = await start({ principal });
    const stream = await listen(handler, tokenOf('ada', soon()));
    expect(await toEnd(stream)).toEqual([]);
    await eventually(() => bus.listenerCount === 0);
  });

  it.each([1, 2])(
    'rule 39: ends if the access of its principal does while it begins, at the call %d of the option principal',
    async (call) => {
      const [asked, go] = [gate(), gate()];
      let calls = 0;
      const { handler, bus } = await start({
        principal: async () => {
          if (++calls === call) {
            asked.open();
            await go.passed;
          }
          return 'ada';
        },
      });
      const begins = handler.fetch(new Request('http://localhost/mcp', LISTEN), { authInfo: tokenOf('ada') });
      await asked.passed;
      await handler.endAll({ principal: 'bob' });
      await handler.endAll({ principal: 'ada' });
      go.open();
      const { status, body } = await begins;
      expect(status).toBe(200);
      // With the SDK's first event, or without.
      await new SseReader(body as ReadableStream<Uint8Array>).rest();
      await eventually(() => bus.listenerCount === 0);
    },
  );

  it('rule 39: ends though the store fails, and not for wrong options', async () => {
    const store = await createMemoryStore();
    const { handler } = await start({ store });
    const [ada, bob] = [await listen(handler, tokenOf('ada')), await listen(handler, tokenOf('bob'))];
    await store.close();
    for (const wrong of [undefined, {}, { user: 'https://issuer|ada' }, { principal: undefined }, { principal: 1 }]) {
      await expect(handler.endAll(wrong as never)).rejects.toThrow(
        /^(Options? .*endAll|Unknown option user of endAll|Option principal|Principal)/,
      );
    }
    handler.notify.toolsChanged();
    expect((await ada.message()).message['method']).toBe(CHANGED);
    await expect(handler.endAll({ principal: 'https://issuer|ada' })).rejects.toMatchObject({ code: 'STORE_CLOSED' });
    expect(await toEnd(ada)).toEqual([]);
    expect((await bob.message()).message['method']).toBe(CHANGED);
    await bob.cancel();
  });

  it('leaves nothing behind when its client has gone, before or after it began', async () => {
    const { handler, bus } = await start();
    const abort = new AbortController();
    const streams = [await listen(handler), await listen(handler, undefined, abort.signal)];
    await handler.fetch(new Request('http://localhost/mcp', { ...LISTEN, signal: abort.signal }));
    await streams[0]?.cancel();
    // More than is read ahead of the client.
    for (let count = 0; count < 3; count++) handler.notify.toolsChanged();
    abort.abort();
    await handler.fetch(new Request('http://localhost/mcp', { ...LISTEN, signal: AbortSignal.abort() }));
    const served = await serve(handler);
    onTestFinished(() => served.close());
    const away = new AbortController();
    const response = await fetch(served.url, { ...LISTEN, signal: away.signal });
    expect(response.status).toBe(200);
    await eventually(() => bus.listenerCount === 2);
    away.abort();
    await eventually(() => bus.listenerCount === 0);
  });
});

it('rule 39: a call of 2026-07-28 outlives its token: its client could not return for the answer', async () => {
  const [begun, go] = [gate(), gate()];
  const { handler } = await start({
    createStatelessServer: () => {
      const server = makeServer('stateless');
      server.registerTool('wait', {}, async ({ mcpReq }) => {
        await mcpReq.notify({ method: 'notifications/progress', params: { progressToken: 1, progress: 1 } });
        begun.open();
        await go.passed;
        return { content: [] };
      });
      return server;
    },
  });
  const expiresAt = soon();
  const request = new Request('http://localhost/mcp', posted('tools/call', { name: 'wait', arguments: {} }));
  const answer = await handler.fetch(request, { authInfo: tokenOf('ada', expiresAt) });
  expect(answer.headers.get('content-type')).toContain('text/event-stream');
  // Opened later, so it ends after the call would.
  expect(await toEnd(await listen(handler, tokenOf('ada', expiresAt)))).toEqual([]);
  await begun.passed;
  go.open();
  expect(await answer.text()).toContain('"result"');
});

it.each(addresses)(
  'rule 39: with a bus over the store, the end of access ends streams on all nodes, on %s',
  async (_, open) => {
    const address = await open();
    const errors: unknown[] = [];
    const nodes = [];
    for (let node = 0; node < 2; node++) {
      const store = await openStore(address);
      const bus = createStoreEventBus(store, { onError: (error) => void errors.push(error) });
      const handler = createDualEraHandler({
        store,
        createServer: () => makeServer('session'),
        createStatelessServer: () => makeServer('stateless'),
        stateless: { bus },
      });
      nodes.push(handler);
      onTestFinished(async () => {
        await handler.close();
        await store.close();
      });
    }
    const [here, there] = nodes as [DualEraHandler, DualEraHandler];
    const adas = [await listen(here, tokenOf('ada')), await listen(there, tokenOf('ada'))];
    const bob = await listen(there, tokenOf('bob'));
    await here.endAll({ principal: 'https://issuer|ada' });
    for (const stream of adas) expect(await toEnd(stream)).toEqual([]);
    here.notify.toolsChanged();
    expect((await bob.message()).message['method']).toBe(CHANGED);
    await bob.cancel();
    expect(errors).toEqual([]);
  },
);
