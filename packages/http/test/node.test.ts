import { once } from 'node:events';
import { createServer } from 'node:http';
import { connect as connectSocket, type AddressInfo } from 'node:net';
import { describe, expect, it, onTestFinished } from 'vitest';
import { type FetchHandler, toNodeHandler } from '../src/node.ts';
import { eventually, gate, start } from './support/harness.ts';
import type { ServerPort } from './support/line.ts';
import { lines } from './support/lines.ts';

async function listen(handler: FetchHandler<unknown>, parsedBody?: unknown): Promise<number> {
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
  return (server.address() as AddressInfo).port;
}

async function talk(port: number, text: string): Promise<string> {
  const socket = connectSocket(port, '127.0.0.1');
  socket.write(text);
  const chunks: Buffer[] = [];
  socket.on('data', (chunk) => chunks.push(chunk));
  await once(socket, 'close');
  return Buffer.concat(chunks).toString();
}

describe('the bridge to node:http', () => {
  it('passes method, path, headers, body and identity on, and the answer back', async () => {
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

  it('passes a body that a framework has parsed on as it is', async () => {
    const body = { parsed: true };
    const port = await listen({ fetch: async (_, options) => Response.json(options?.parsedBody) }, body);
    const response = await fetch(`http://127.0.0.1:${port}/`, { method: 'POST', body: 'unread' });
    expect(await response.json()).toEqual(body);
  });

  it('answers 400 for what cannot be made a request, and 500 for a handler that throws', async () => {
    const port = await listen({ fetch: () => Promise.reject(new Error('secret')) });
    const end = 'connection: close\r\n\r\n';
    expect(await talk(port, `GET / HTTP/1.1\r\nhost: a b\r\n${end}`)).toMatch(/^HTTP\/1\.1 400 /);
    expect(await talk(port, `TRACE / HTTP/1.1\r\nhost: x\r\n${end}`)).toMatch(/^HTTP\/1\.1 400 /);
    const failed = await talk(port, `GET http://x/y HTTP/1.1\r\nhost: x\r\n${end}`);
    expect(failed).toMatch(/^HTTP\/1\.1 500 /);
    expect(failed).not.toContain('secret');
  });

  it('sends the head of a stream before it has anything to say; when the client goes away, the request is aborted and the stream cancelled', async () => {
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

  it('breaks a connection off whose stream fails, so that it does not look complete', async () => {
    const port = await listen({
      fetch: async () =>
        new Response(new ReadableStream({ pull: (controller) => controller.error(new Error('broken')) })),
    });
    const response = await fetch(`http://127.0.0.1:${port}/`);
    await expect(response.text()).rejects.toThrow('terminated');
  });
});

describe.each(lines)('slow readers, SDK $name', (line) => {
  it('a client that does not read is sent no more than the sockets hold, and gets all of it when it reads', async () => {
    let port: ServerPort | undefined;
    const { raw, url, store } = await start(line, {
      serve: () => ({ tools: {}, onCreated: (created) => (port = created) }),
      memory: { retention: { maxEvents: 5_000 } },
    });
    const client = raw();
    const id = await client.begin();
    const socket = connectSocket(Number(url.port), '127.0.0.1');
    socket.write(`GET /mcp HTTP/1.1\r\nhost: x\r\naccept: text/event-stream\r\nmcp-session-id: ${id}\r\n\r\n`);
    await once(socket, 'readable');
    // Never read: 40 MB of messages, in a log that keeps them all.
    const data = 'x'.repeat(20_000);
    const before = process.memoryUsage().arrayBuffers;
    for (let i = 0; i < 2_000; i++)
      await port?.notify('notifications/message', { level: 'info', data: `${i} ${data}` });
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
