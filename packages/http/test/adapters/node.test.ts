import { once } from 'node:events';
import { createServer, type Server } from 'node:http';
import { connect as connectSocket, type AddressInfo, type Socket } from 'node:net';
import { describe, expect, it, onTestFinished } from 'vitest';
import { type FetchHandler, toNodeHandler } from '../../src/node.ts';
import { eventually, gate, start } from '../support/harness.ts';
import type { ServerPort } from '../support/line.ts';
import { lines } from '../support/lines.ts';

async function listen(handler: FetchHandler<unknown>, parsedBody?: unknown): Promise<number> {
  return ((await serve(handler, parsedBody)).address() as AddressInfo).port;
}

async function serve(handler: FetchHandler<unknown>, parsedBody?: unknown): Promise<Server> {
  const listener = toNodeHandler(handler);
  const server = createServer(
    (request, response) => void listener(Object.assign(request, { body: parsedBody }), response),
  );
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  onTestFinished(() => {
    server.closeAllConnections();
    server.close();
  });
  return server;
}

async function talk(port: number, text: string): Promise<string> {
  const socket = connectSocket(port, '127.0.0.1');
  socket.write(text);
  const chunks: Buffer[] = [];
  socket.on('data', (chunk) => chunks.push(chunk));
  await once(socket, 'close');
  return Buffer.concat(chunks).toString();
}

/** A body as our own streams have it: something to begin with, and then a long wait. */
function openingWith(text: string): ReadableStream<Uint8Array> {
  return new ReadableStream<Uint8Array>(
    {
      start: (controller) => controller.enqueue(new TextEncoder().encode(text)),
      pull: () => new Promise(() => undefined),
    },
    { highWaterMark: 0 },
  );
}

/** A body that begins at once, and ends when a promise does. */
function endingAfter(end: Promise<void>): ReadableStream<Uint8Array> {
  return new ReadableStream<Uint8Array>({
    start: async (controller) => {
      controller.enqueue(new TextEncoder().encode('begin'));
      await end;
      controller.close();
    },
  });
}

/** Notes what goes to the operating system, call by call. */
function record(socket: Socket, writes: string[]): void {
  const [write, writev] = [socket._write.bind(socket), socket._writev?.bind(socket)];
  socket._write = (chunk: unknown, ...rest) => {
    writes.push(String(chunk));
    write(chunk, ...rest);
  };
  socket._writev = (chunks, done) => {
    writes.push(chunks.map(({ chunk }) => String(chunk)).join(''));
    writev?.(chunks, done);
  };
}

describe('the adapter for node:http', () => {
  it('method, path, headers, body and identity reach the handler, and its answer comes back', async () => {
    const seen: unknown[] = [];
    const port = await listen({
      fetch: async (request, options) => {
        seen.push(request.method, request.url, request.headers.get('x-a'), await request.text(), options);
        return new Response('made', { status: 201, headers: { 'x-b': '2' } });
      },
    });
    const response = await fetch(`http://127.0.0.1:${port}/mcp?q=1`, {
      method: 'POST',
      headers: { 'x-a': '1' },
      body: 'body',
    });
    expect([response.status, response.headers.get('x-b'), await response.text()]).toEqual([201, '2', 'made']);
    expect(seen).toEqual([
      'POST',
      `http://127.0.0.1:${port}/mcp?q=1`,
      '1',
      'body',
      { authInfo: undefined, parsedBody: undefined },
    ]);
  });

  it('several cookies reach the client, each as a header of its own', async () => {
    const headers = new Headers([
      ['set-cookie', 'a=1; Secure'],
      ['set-cookie', 'b=2, two'],
    ]);
    const port = await listen({ fetch: async () => new Response('made', { headers }) });
    const response = await fetch(`http://127.0.0.1:${port}/mcp`);
    expect(response.headers.getSetCookie()).toEqual(['a=1; Secure', 'b=2, two']);
  });

  it('bodies of any bytes and sizes arrive unchanged', async () => {
    const port = await listen({ fetch: async (request) => new Response(await request.arrayBuffer()) });
    for (const length of [0, 3, 200_000]) {
      const body = Buffer.alloc(length, Buffer.from([0xff, 0x00, 0xc3]));
      const response = await fetch(`http://127.0.0.1:${port}/`, { method: 'POST', body });
      expect(Buffer.from(await response.arrayBuffer()).equals(body)).toBe(true);
    }
  });

  it('a body that a framework has parsed reaches the handler as it is', async () => {
    const body = { parsed: true };
    const port = await listen({ fetch: async (_, options) => Response.json(options?.parsedBody) }, body);
    const response = await fetch(`http://127.0.0.1:${port}/`, { method: 'POST', body: 'unread' });
    expect(await response.json()).toEqual(body);
  });

  it('a request that cannot be represented is a 400, and a handler that throws is a 500', async () => {
    const port = await listen({ fetch: () => Promise.reject(new Error('secret')) });
    const end = 'connection: close\r\n\r\n';
    expect(await talk(port, `GET / HTTP/1.1\r\nhost: a b\r\n${end}`)).toMatch(/^HTTP\/1\.1 400 /);
    expect(await talk(port, `TRACE / HTTP/1.1\r\nhost: localhost\r\n${end}`)).toMatch(/^HTTP\/1\.1 400 /);
    const failed = await talk(port, `GET http://x/y HTTP/1.1\r\nhost: localhost\r\n${end}`);
    expect(failed).toMatch(/^HTTP\/1\.1 500 /);
    expect(failed).not.toContain('secret');
  });

  it('the head of a stream is sent before its first message; when the client disconnects, the request is aborted and the stream cancelled', async () => {
    const [aborted, cancelled] = [gate(), gate()];
    const port = await listen({
      fetch: async (request) => {
        request.signal.addEventListener('abort', () => aborted.open());
        return new Response(new ReadableStream({ cancel: () => cancelled.open() }));
      },
    });
    const response = await fetch(`http://127.0.0.1:${port}/`);
    expect(response.status).toBe(200);
    await response.body?.cancel();
    await Promise.all([aborted.passed, cancelled.passed]);
  });

  it('the first chunk of a stream is written together with its head: a killed process has sent both or none', async () => {
    const writes: string[] = [];
    const listener = toNodeHandler({ fetch: async () => new Response(openingWith('id: 1\n\n')) });
    const server = createServer((request, response) => void listener(request, response));
    server.on('connection', (socket) => record(socket, writes));
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    const socket = connectSocket((server.address() as AddressInfo).port, '127.0.0.1');
    socket.write('GET / HTTP/1.1\r\nhost: localhost\r\n\r\n');
    await eventually(() => writes.join('').includes('id: 1'));
    expect(writes).toEqual([expect.stringMatching(/^HTTP\/1\.1 200 OK[^]*id: 1\n\n/)]);
    socket.destroy();
    server.close();
  });

  it('a connection whose stream fails is broken off, so that it does not look complete', async () => {
    let pulls = 0;
    const body = new ReadableStream<Uint8Array>(
      {
        pull: (controller) => {
          if (pulls++ === 0) controller.enqueue(new TextEncoder().encode('begun'));
          else controller.error(new Error('broken'));
        },
      },
      { highWaterMark: 0 },
    );
    const port = await listen({ fetch: async () => new Response(body) });
    const text = async (): Promise<string> => (await fetch(`http://127.0.0.1:${port}/`)).text();
    await expect(text()).rejects.toThrow('terminated');
  });

  it('after close of the server, connections end with the response that they carry', async () => {
    const [called, answer, end] = [gate(), gate(), gate()];
    const server = await serve({
      fetch: async ({ method }) => {
        if (method === 'GET') return new Response(endingAfter(end.passed));
        called.open();
        await answer.passed;
        return new Response('answer');
      },
    });
    // Otherwise Node ends them after 5 seconds.
    server.keepAliveTimeout = 0;
    const { port } = server.address() as AddressInfo;
    const stream = connectSocket(port, '127.0.0.1', () => stream.write('GET /mcp HTTP/1.1\r\nhost: localhost\r\n\r\n'));
    await once(stream, 'data');
    const call = talk(port, 'POST /mcp HTTP/1.1\r\nhost: localhost\r\ncontent-length: 2\r\n\r\n{}');
    await called.passed;

    server.close();
    const ended = once(stream.resume(), 'end');
    answer.open();
    end.open();

    expect(await call).toMatch(/\r\nconnection: close\r\n[\s\S]*answer/i);
    await ended;
  });
});

describe.each(lines)('slow readers, SDK $name', (line) => {
  it('a client that does not read gets no more than the sockets hold, and everything once it reads', async () => {
    let port: ServerPort | undefined;
    const { raw, url, store } = await start(line, {
      serve: () => ({ tools: {}, onCreated: (created) => (port = created) }),
      memory: { retention: { maxEvents: 5_000 } },
    });
    const client = raw();
    const id = await client.begin();
    const socket = connectSocket(Number(url.port), '127.0.0.1');
    socket.write(`GET /mcp HTTP/1.1\r\nhost: localhost\r\naccept: text/event-stream\r\nmcp-session-id: ${id}\r\n\r\n`);
    await once(socket, 'readable');
    // Never read: 40 MB of messages, in a log that keeps them all.
    const data = 'x'.repeat(20_000);
    const before = process.memoryUsage().arrayBuffers;
    for (let i = 0; i < 2_000; i++) {
      await port?.notify('notifications/message', { level: 'info', data: `${i} ${data}` });
    }
    await eventually(() => socket.readableLength > 0);
    expect(process.memoryUsage().arrayBuffers - before).toBeLessThan(10_000_000);

    let text = '';
    const seen: string[] = [];
    for await (const chunk of socket) {
      text += String(chunk);
      const frames = text.split('\n\n');
      text = frames.pop() ?? '';
      for (const frame of frames) seen.push(...(/"data":"(\d+) x/.exec(frame)?.slice(1) ?? []));
      if (seen.length === 2_000) break;
    }
    expect(seen).toEqual(Array.from({ length: 2_000 }, (_, i) => String(i)));
    expect(await store.get(id)).toBeDefined();
  });
});
