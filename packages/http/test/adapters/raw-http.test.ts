import { once } from 'node:events';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { type AddressInfo, connect as connectSocket, type Socket } from 'node:net';
import { beforeEach, describe, expect, it, onTestFinished } from 'vitest';
import { type FetchHandler, toNodeHandler } from '../../src/node.ts';
import { eventually, gate, type Harness, start } from '../support/harness.ts';
import type { Json } from '../support/line.ts';
import { initialize } from '../support/raw.ts';
import { v2 } from '../support/v2.ts';

let harness: Harness;

beforeEach(async () => {
  harness = await start(v2, { tools: { echo: ({ text }) => String(text) } });
});

/** The other side may close before it has read everything, which is an error for ours. */
function closed(socket: Socket): Promise<void> {
  socket.on('error', () => undefined);
  return new Promise((resolve) => socket.once('close', () => resolve()));
}

const open = async (port: number | string): Promise<Socket> => {
  const socket = connectSocket(Number(port), '127.0.0.1');
  await once(socket, 'connect');
  return socket;
};

/** Sends bytes, and resolves with all that comes back until the other side closes. */
async function talk(sent: string | Uint8Array): Promise<string> {
  const socket = await open(harness.url.port);
  const chunks: Buffer[] = [];
  socket.on('data', (chunk) => chunks.push(chunk));
  socket.write(sent);
  await closed(socket);
  return Buffer.concat(chunks).toString();
}

const JSON_HEADERS = 'content-type: application/json\r\naccept: application/json, text/event-stream\r\n';

function post(body: unknown, headers = 'host: localhost\r\nconnection: close\r\n', version = '1.1'): string {
  const text = JSON.stringify(body);
  return `POST /mcp HTTP/${version}\r\n${headers}${JSON_HEADERS}content-length: ${Buffer.byteLength(text)}\r\n\r\n${text}`;
}

function statuses(answer: string): string[] {
  return [...answer.matchAll(/HTTP\/1\.1 (\d+) /g)].map(([, status = '']) => status);
}

/** The adapter goes on, and onError got nothing of a client's mistakes. */
async function expectAlive(): Promise<void> {
  expect(statuses(await talk(post(initialize())))).toEqual(['200']);
  expect(harness.errors).toEqual([]);
}

describe('malformed clients', () => {
  it.each([
    ['a body that is far too large, announced and not sent', 'content-length: 10000000000\r\n\r\n', '413'],
    ['the same, of which some is sent', `content-length: 10000000\r\n\r\n${'x'.repeat(100_000)}`, '413'],
    ['a length that is no number', 'content-length: 1e3\r\n\r\n', '400'],
    ['two lengths', 'content-length: 5\r\ncontent-length: 6\r\n\r\n', '400'],
    ['a length and chunks', 'content-length: 5\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n', '400'],
    ['chunks that are none', 'transfer-encoding: chunked\r\n\r\nzz\r\n', '400'],
    ['no body', 'connection: close\r\n\r\n', '400'],
    ['headers without end', `x-a: ${'a'.repeat(100_000)}`, '431'],
    ['a header with a zero byte', 'x-a: a\0b\r\n\r\n', '400'],
    ['an expectation that nobody meets', 'expect: miracles\r\nconnection: close\r\ncontent-length: 0\r\n\r\n', '417'],
  ])('%s', async (_, rest, status) => {
    expect(statuses(await talk(`POST /mcp HTTP/1.1\r\nhost: localhost\r\n${JSON_HEADERS}${rest}`))[0]).toBe(status);
    await expectAlive();
  });

  it('a body in chunks that does not end is refused when it is too large, and not read on', async () => {
    const socket = await open(harness.url.port);
    const refused = new Promise<Buffer>((resolve) => socket.once('data', resolve));
    const over = closed(socket);
    socket.write(`POST /mcp HTTP/1.1\r\nhost: localhost\r\n${JSON_HEADERS}transfer-encoding: chunked\r\n\r\n`);
    const chunk = `10000\r\n${' '.repeat(65_536)}\r\n`;
    const pump = async (): Promise<void> => {
      while (!socket.destroyed) if (!socket.write(chunk)) await Promise.race([over, once(socket, 'drain')]);
    };
    void pump().catch(() => undefined);
    expect(statuses(String(await refused))).toEqual(['413']);
    await over;
    await expectAlive();
  });

  it.each(['content-length: 100', 'content-length: 1000000', 'transfer-encoding: chunked'])(
    'a connection that dies in the middle of a body of "%s"',
    async (header) => {
      const socket = await open(harness.url.port);
      socket.write(`POST /mcp HTTP/1.1\r\nhost: localhost\r\n${JSON_HEADERS}${header}\r\n\r\n5\r\n{"js`);
      await eventually(() => harness.served.server.listening && socket.bytesWritten > 0);
      socket.resetAndDestroy();
      await expectAlive();
    },
  );

  it.each([
    ['GET * HTTP/1.1', '400'],
    ['OPTIONS * HTTP/1.1', '400'],
    ['GET http:// HTTP/1.1', '400'],
    ['GET http://user:secret@x/mcp HTTP/1.1', '400'],
    ['GET //mcp HTTP/1.1', '400'],
    ['GET /%ff%00 HTTP/1.1', '400'],
    ['GET /../../etc/passwd HTTP/1.1', '400'],
    ['HEAD /mcp HTTP/1.1', '405'],
    ['BREW /mcp HTTP/1.1', '400'],
    ['TRACE /mcp HTTP/1.1', '400'],
    ['PUT /mcp HTTP/1.1', '405'],
    ['GET /mcp HTTP/3.0', '400'],
  ])('%s', async (line, status) => {
    const answer = await talk(`${line}\r\nhost: localhost\r\naccept: text/event-stream\r\nconnection: close\r\n\r\n`);
    expect(statuses(answer)).toEqual([status]);
    expect(answer).not.toContain('    at ');
    // Only a HEAD has no body.
    if (line.startsWith('HEAD')) expect(answer.endsWith('\r\n\r\n')).toBe(true);
    await expectAlive();
  });

  it.each(['a b', 'a@b', '', '[::1', 'x:99999999', 'x\u00ff', 'evil/../..', '#'])('Host: %s', async (host) => {
    const answer = await talk(Buffer.from(post(initialize(), `host: ${host}\r\nconnection: close\r\n`), 'latin1'));
    expect(statuses(answer)[0]).toMatch(/^40[03]$/);
    await expectAlive();
  });

  it.each(['mcp-session-id', 'last-event-id', 'mcp-protocol-version', 'origin', 'authorization'])(
    'absurd values of %s',
    async (name) => {
      for (const value of ['', '\u00ff\u00fe', 'a'.repeat(10_000), '../../..', "' or 1=1 --", '1, 2', '%00', '{}']) {
        const headers = `host: localhost\r\nconnection: close\r\n${name}: ${value}\r\n`;
        const request = `GET /mcp HTTP/1.1\r\n${headers}accept: text/event-stream\r\n\r\n`;
        expect(statuses(await talk(Buffer.from(request, 'latin1')))[0]).toMatch(/^4\d\d$/);
      }
      await expectAlive();
    },
  );
});

describe('rarely used features of HTTP', () => {
  it('HTTP/1.0 without a Host gets whole answers and streams, and then the connection closes', async () => {
    const answer = await talk(post(initialize(), '', '1.0'));
    expect(statuses(answer)).toEqual(['200']);
    const id = /^mcp-session-id: (.+)$/m.exec(answer)?.[1] ?? '';
    const headers = `mcp-session-id: ${id.trim()}\r\nmcp-protocol-version: 2025-11-25\r\n`;
    const call = { jsonrpc: '2.0', id: 1, method: 'tools/call', params: { name: 'echo', arguments: { text: 'ä€😀' } } };
    const called = await talk(post(call, headers, '1.0'));
    expect(called).toContain('ä€😀');
    expect(called).not.toMatch(/transfer-encoding: chunked/i);
  });

  it('Expect: 100-continue gets 100, and then the answer', async () => {
    expect(
      statuses(await talk(post(initialize(), 'host: localhost\r\nexpect: 100-continue\r\nconnection: close\r\n'))),
    ).toEqual(['100', '200']);
  });

  it('pipelined requests are answered in order', async () => {
    const first = post(initialize('2025-11-25', 'first'), 'host: localhost\r\n');
    const second = post(initialize('2025-11-25', 'second'));
    const answer = await talk(first + second);
    expect(statuses(answer)).toEqual(['200', '200']);
    expect(answer.indexOf('"first"')).toBeLessThan(answer.indexOf('"second"'));
  });

  it('an offer to upgrade is ignored', async () => {
    expect(
      statuses(await talk(post(initialize(), 'host: [::1]\r\nupgrade: websocket\r\nconnection: upgrade, close\r\n'))),
    ).toEqual(['200']);
  });

  it('answers with more bytes than characters arrive whole, as one message and as a stream', async () => {
    const raw = harness.raw();
    await raw.begin();
    const text = '€'.repeat(50_000);
    const answered = await raw.callTool('echo', { text });
    const { message } = await answered.sse.message();
    expect((message as { result: Json }).result).toMatchObject({ content: [{ text }] });
  });
});

describe('code around the adapter', () => {
  async function listen(
    handler: FetchHandler<unknown>,
    around: (request: IncomingMessage, response: ServerResponse, next: () => void) => void,
  ): Promise<URL> {
    const bridge = toNodeHandler(handler);
    const server = createServer((request, response) => around(request, response, () => void bridge(request, response)));
    await once(server.listen(0, '127.0.0.1'), 'listening');
    onTestFinished(() => {
      server.closeAllConnections();
      server.close();
    });
    return new URL(`http://127.0.0.1:${(server.address() as AddressInfo).port}/mcp`);
  }

  const streaming = (cancelled: () => void): FetchHandler<unknown> => ({
    fetch: async () => new Response(new ReadableStream({ cancel: cancelled })),
  });

  it('a body that another middleware has consumed counts as empty and does not hang', async () => {
    const echo: FetchHandler<unknown> = { fetch: async (request) => new Response(`<${await request.text()}>`) };
    const url = await listen(echo, (request, _response, next) => void request.resume().once('end', next));
    for (const size of [10, 1_000_000]) {
      const response = await fetch(url, { method: 'POST', body: 'x'.repeat(size) });
      expect(await response.text()).toBe('<>');
    }
  });

  it('a request line with an absolute URL is served', async () => {
    const url = await listen({ fetch: async (request) => new Response(request.url) }, (_request, _response, next) =>
      next(),
    );
    const socket = connectSocket(Number(url.port), '127.0.0.1');
    socket.write('GET http://proxied.example/mcp?q=1 HTTP/1.1\r\nhost: proxied.example\r\nconnection: close\r\n\r\n');
    const [answer] = (await once(socket, 'data')) as [Buffer];
    expect(answer.toString()).toContain('http://proxied.example/mcp?q=1');
  });

  it('a client that disconnects before the answer cancels the stream', async () => {
    const [asked, gone, cancelled] = [gate(), gate(), gate()];
    const late: FetchHandler<unknown> = {
      fetch: async (request) => {
        asked.open();
        request.signal.addEventListener('abort', () => gone.open());
        await gone.passed;
        return streaming(cancelled.open).fetch(request);
      },
    };
    const url = await listen(late, (_request, _response, next) => next());
    const abort = new AbortController();
    const response = fetch(url, { signal: abort.signal });
    await asked.passed;
    abort.abort();
    await expect(response).rejects.toThrow('abort');
    await cancelled.passed;
  });

  it('a response that another middleware has begun or ended cancels the stream and throws nothing', async () => {
    const cancelled = gate();
    const url = await listen(streaming(cancelled.open), (_request, response, next) => {
      response.writeHead(504).end('too late');
      next();
    });
    const response = await fetch(url);
    expect(response.status).toBe(504);
    await cancelled.passed;
  });
});
