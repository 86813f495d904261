import { createMemoryStore } from '@mcp-session/core/memory';
import { McpServer } from '@modelcontextprotocol/server';
import { createServer } from 'node:http';
import { connect as connectHttp2, createServer as createHttp2Server } from 'node:http2';
import type { AddressInfo } from 'node:net';
import { describe, expect, it, onTestFinished } from 'vitest';
import { errorToResponse } from '../../src/lib/protocol/http-errors.ts';
import { type FetchHandler, type NodeHandlerOptions, toNodeHandler } from '../../src/node.ts';
import { createSessionHandler, type SessionHandler, type AuthInfo } from '../../src/v2.ts';
import { withinLimit } from '../support/harness.ts';
import { Connection, frameworks, listening, wire } from '../support/keep-alive.ts';
import { initialize } from '../support/raw.ts';

const JSON_HEADERS = { 'content-type': 'application/json', accept: 'application/json, text/event-stream' };
const ANY_ID = { 'mcp-session-id': 'unknown' };

interface Refusal {
  readonly status: number;
  readonly method?: string;
  readonly headers: Readonly<Record<string, string>>;
}

const refusals: Readonly<Record<string, Refusal>> = {
  '401 in front of the handler': { status: 401, headers: { ...JSON_HEADERS, 'x-refuse': '401' } },
  '403': { status: 403, headers: { ...JSON_HEADERS, origin: 'https://evil.example' } },
  '404': { status: 404, headers: { ...JSON_HEADERS, ...ANY_ID } },
  '404 on DELETE': { status: 404, method: 'DELETE', headers: { ...JSON_HEADERS, ...ANY_ID } },
  '405': { status: 405, method: 'PUT', headers: JSON_HEADERS },
  '406': { status: 406, headers: { 'content-type': 'application/json', accept: 'text/html' } },
  '413': { status: 413, headers: JSON_HEADERS },
  '415': { status: 415, headers: { ...JSON_HEADERS, 'content-type': 'text/plain' } },
  '500': { status: 500, headers: { ...JSON_HEADERS, ...ANY_ID, 'x-refuse': '500' } },
  '503': { status: 503, headers: { ...JSON_HEADERS, 'x-refuse': '503' } },
};

const sizes = { '1 KB': 1_024, '1 MB': 1_000_000 };

async function sessions(): Promise<SessionHandler> {
  const store = await createMemoryStore();
  const handler = createSessionHandler({
    store,
    createServer: () => new McpServer({ name: 'test', version: '1.0.0' }),
    principal: (_, request) => {
      if (request.headers.get('x-refuse') === '500') throw new Error('no such user');
      return null;
    },
    maxBodyBytes: 1_000,
    allowedOrigins: [],
    onError: () => undefined,
  });
  onTestFinished(async () => {
    await handler.close();
    await store.close();
  });
  return handler;
}

describe.each(Object.entries(frameworks))('the connection of a request that was refused, %s', (_, mount) => {
  it.each(Object.entries(refusals))('%s: goes on, whatever the length of the body', async (_name, refusal) => {
    const handler = await sessions();
    const closing = await sessions();
    await closing.close();
    const port = await listening(
      await mount({
        fetch: async (request, options) => {
          const refuse = request.headers.get('x-refuse');
          if (refuse === '401') return new Response('who are you?', { status: 401 });
          return (refuse === '503' ? closing : handler).fetch(request, options as { authInfo?: AuthInfo });
        },
      }),
    );
    for (const size of Object.values(sizes)) {
      for (const framing of ['length', 'chunked'] as const) {
        // @hono/node-server gives the rest of a body half a second.
        await withinLimit(500, async () => {
          const connection = new Connection(port);
          const { method = 'POST', headers, status } = refusal;
          const body = `"${'x'.repeat(size - 2)}"`;
          connection.socket.write(wire(method, headers, body, framing));
          const refused = await connection.answer();
          expect(refused.status).toBe(parsedFirst(refused.head, status));
          expect(refused.head).not.toMatch(/^connection: close/im);
          connection.socket.write(wire('POST', JSON_HEADERS, JSON.stringify(initialize())));
          expect((await connection.answer()).status).toBe(200);
        });
      }
    }
  });
});

/** Where a framework has parsed the body already, its length is not looked at any more. */
function parsedFirst(head: string, status: number): number {
  return status === 413 && / 400 /.test(head.split('\r\n', 1)[0] ?? '') ? 400 : status;
}

describe('the unread rest of a body', () => {
  it("Node's fetch: a client that posts to an ended session starts a new one at once", async () => {
    const store = await createMemoryStore();
    const handler = createSessionHandler({
      store,
      createServer: () => new McpServer({ name: 'test', version: '1.0.0' }),
    });
    onTestFinished(async () => {
      await handler.close();
      await store.close();
    });
    const url = `http://127.0.0.1:${await serving({}, handler)}/mcp`;
    const post = (body: unknown, headers = {}): Promise<Response> =>
      fetch(url, { method: 'POST', headers: { ...JSON_HEADERS, ...headers }, body: JSON.stringify(body) });
    for (let round = 0; round < 3; round++) {
      const refused = await post({ jsonrpc: '2.0', id: 1, method: 'x', params: { x: 'x'.repeat(900_000) } }, ANY_ID);
      expect(refused.status).toBe(404);
      await refused.text();
      const begun = await post(initialize());
      expect(begun.status).toBe(200);
      await begun.text();
    }
  });

  // Node itself discards only what nobody has touched.
  it.each(['length', 'chunked'] as const)(
    'something in front has begun to read the body and paused it (%s): the connection goes on',
    async (framing) => {
      const listener = toNodeHandler(await sessions());
      const server = createServer((request, response) => {
        request.once('readable', () => void listener(request.pause(), response));
      });
      const connection = new Connection(await listening(server));
      for (const size of Object.values(sizes)) {
        connection.socket.write(wire('POST', { ...JSON_HEADERS, ...ANY_ID }, 'x'.repeat(size), framing));
        expect((await connection.answer()).status).toBe(404);
        connection.socket.write(wire('POST', JSON_HEADERS, JSON.stringify(initialize()), framing));
        expect((await connection.answer()).status).toBe(200);
      }
    },
  );

  it.each(['length', 'chunked'] as const)(
    'a rest that is too large to discard (%s): the client gets its answer, and the connection closes',
    async (framing) => {
      const connection = new Connection(await serving({}, await sessions()));
      connection.socket.write(wire('POST', { ...JSON_HEADERS, ...ANY_ID }, 'x'.repeat(6_000_000), framing));
      const { status, head } = await connection.answer();
      expect(status).toBe(404);
      if (framing === 'length') expect(head).toMatch(/^connection: close/im);
      await ended(connection);
    },
  );

  it('a client that never sends the rest: the connection closes at the time limit', async () => {
    const connection = new Connection(await serving({ bodyTimeoutMs: 50 }, await sessions()));
    const text = wire('POST', { ...JSON_HEADERS, ...ANY_ID }, 'x'.repeat(100_000));
    connection.socket.write(text.slice(0, -10));
    expect((await connection.answer()).status).toBe(404);
    await ended(connection);
  });

  it.each([100, 100_000])('a body of %d bytes that does not arrive is a 408', async (length) => {
    const connection = new Connection(await serving({ bodyTimeoutMs: 50 }, echo));
    connection.socket.write(wire('POST', JSON_HEADERS, 'x'.repeat(length)).slice(0, -10));
    const { status, head, body } = await connection.answer();
    expect([status, body]).toEqual([408, expect.stringContaining('body did not come within 50 ms')]);
    expect(head).toMatch(/^connection: close/im);
    await ended(connection);
  });

  it('HTTP/2: refused requests and slow bodies do not disturb other requests of the connection', async () => {
    const listener = toNodeHandler(await sessions(), { bodyTimeoutMs: 200 });
    const server = createHttp2Server((request, response) => void listener(request as never, response as never));
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const client = connectHttp2(`http://127.0.0.1:${(server.address() as AddressInfo).port}`);
    onTestFinished(() => {
      client.destroy();
      server.close();
    });
    const post = (headers: object, body: string, end = true): Promise<number> =>
      new Promise((resolve, reject) => {
        const stream = client.request({ ':method': 'POST', ':path': '/mcp', ...headers });
        stream.on('response', ({ ':status': status }) => resolve(Number(status))).on('error', reject);
        stream.resume().write(body);
        if (end) stream.end();
      });
    for (let round = 0; round < 5; round++) {
      expect(await post({ ...JSON_HEADERS, ...ANY_ID }, 'x'.repeat(1_000_000))).toBe(404);
    }
    expect(await post(JSON_HEADERS, '{"half"', false)).toBe(408);
    expect(await post(JSON_HEADERS, JSON.stringify(initialize()))).toBe(200);
  });
});

const echo: FetchHandler<unknown> = {
  fetch: async (request) =>
    request.text().then(
      (text) => new Response(text),
      (error: unknown) => errorToResponse(error),
    ),
};

async function serving(options: NodeHandlerOptions, handler: FetchHandler<never>): Promise<number> {
  const listener = toNodeHandler(handler, options);
  return listening(createServer((request, response) => void listener(request as never, response)));
}

async function ended({ socket }: Connection): Promise<void> {
  if (!socket.destroyed) await new Promise((resolve) => socket.once('close', resolve));
}
