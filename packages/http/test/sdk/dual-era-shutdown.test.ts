import { createMemoryStore } from '@mcp-session/core/memory';
import { McpServer } from '@modelcontextprotocol/server';
import { expect, it, onTestFinished } from 'vitest';
import { createDualEraHandler, type DualEraHandler } from '../../src/v2.ts';
import { type Gate, gate } from '../support/harness.ts';
import { connectModern, REVISION } from '../support/modern.ts';
import { RawClient } from '../support/raw.ts';
import { serve, type Served } from '../support/serve.ts';

const DRAIN = { drainMs: 60_000 };

interface Node {
  readonly handler: DualEraHandler;
  readonly served: Served;
  readonly errors: readonly unknown[];
  /** Opens when the tool `wait` runs. */
  readonly begun: Gate;
  /** Lets it end. */
  readonly go: Gate;
}

/**
 * A node of both eras. Its tool `wait` reports progress at once if its argument `early` says so.
 */
async function start(): Promise<Node> {
  const [begun, go] = [gate(), gate()];
  const errors: unknown[] = [];
  const makeServer = (): McpServer => {
    const server = new McpServer({ name: 'dual', version: '1.0.0' });
    server.registerTool('echo', {}, () => ({ content: [{ type: 'text', text: 'x' }] }));
    server.registerTool('wait', {}, async ({ mcpReq }) => {
      const progressToken = mcpReq._meta?.progressToken;
      if (progressToken !== undefined) {
        await mcpReq.notify({ method: 'notifications/progress', params: { progressToken, progress: 1 } });
      }
      begun.open();
      await go.passed;
      return { content: [{ type: 'text', text: 'waited' }] };
    });
    return server;
  };
  const store = await createMemoryStore();
  const handler = createDualEraHandler({
    store,
    createServer: makeServer,
    createStatelessServer: makeServer,
    onError: (error) => void errors.push(error),
  });
  const served = await serve(handler);
  onTestFinished(async () => {
    go.open();
    await handler.close();
    await served.close();
    await store.close();
  });
  return { handler, served, errors, begun, go };
}

/** A request of 2026-07-28 by hand. */
function modernCall(name: string, url: URL): Request {
  return new Request(url, {
    method: 'POST',
    headers: {
      'content-type': 'application/json',
      accept: 'application/json, text/event-stream',
      'mcp-protocol-version': REVISION,
      'mcp-method': 'tools/call',
      'mcp-name': name,
    },
    body: JSON.stringify({
      jsonrpc: '2.0',
      id: 1,
      method: 'tools/call',
      params: {
        name,
        arguments: {},
        _meta: {
          'io.modelcontextprotocol/protocolVersion': REVISION,
          'io.modelcontextprotocol/clientInfo': { name: 'raw', version: '1' },
          'io.modelcontextprotocol/clientCapabilities': {},
        },
      },
    }),
  });
}

it.each([
  ['as JSON', false],
  ['on a stream that has begun', true],
])('rule 37: close({ drainMs }) lets a call of 2026-07-28 end, %s', async (_, hasProgress) => {
  const { handler, served, begun, go, errors } = await start();
  const { client } = await connectModern(served.url);
  const call = client.callTool({ name: 'wait' }, hasProgress ? { onprogress: () => undefined } : {});
  await begun.passed;
  const closing = handler.close(DRAIN);
  await untilRefused(served.url);
  go.open();
  expect((await call).content).toEqual([{ type: 'text', text: 'waited' }]);
  await closing;
  expect((await handler.fetch(modernCall('echo', served.url))).status).toBe(503);
  expect(errors).toEqual([]);
});

it('rule 37: a call of either era that came before close({ drainMs }) is served, though it has not begun', async () => {
  const { handler, served } = await start();
  const old = new RawClient(served.url);
  await old.begin();
  const legacy = new Request(served.url, {
    method: 'POST',
    headers: {
      ...old.headers,
      'content-type': 'application/json',
      accept: 'application/json',
    },
    body: JSON.stringify(old.toolCall('echo')),
  });
  const answers = [modernCall('echo', served.url), legacy].map((request) => handler.fetch(request));
  const closing = handler.close(DRAIN);
  for (const answer of answers) expect(await (await answer).text()).toContain('"text":"x"');
  await closing;
});

it('rule 37: what a client of 2026-07-28 listens to does not keep close({ drainMs }) waiting', async () => {
  const { handler, served } = await start();
  const modern = await connectModern(served.url);
  await modern.listen();
  await handler.close(DRAIN);
  expect((await handler.fetch(modernCall('echo', served.url))).status).toBe(503);
});

it('a call of 2026-07-28 that runs after drainMs is aborted', async () => {
  const { handler, served, begun } = await start();
  const { client } = await connectModern(served.url);
  const outcome = client.callTool({ name: 'wait' }).catch(String);
  await begun.passed;
  await handler.close({ drainMs: 50 });
  expect(await outcome).toContain('Error POSTing to endpoint');
});

/** Calls until new requests are refused. */
async function untilRefused(url: URL): Promise<void> {
  for (;;) {
    const { status, headers } = await fetch(modernCall('echo', url));
    if (status === 503) {
      expect(headers.get('retry-after')).toBe('1');
      return;
    }
    expect(status).toBe(200);
  }
}
