import { connect } from 'node:net';
import { createMemoryStore } from '@mcp-session/core/memory';
import { createStudio } from '@mcp-session/studio';
import { toNodeListener } from '@mcp-session/studio/node';
import { expect, it, onTestFinished } from 'vitest';
import { LOOPBACK } from './support/ask.ts';
import { listening } from './support/keep-alive.ts';
import { serve } from './support/server.ts';

async function prepare() {
  const store = await createMemoryStore({ sweep: false });
  onTestFinished(() => store.close());
  const errors: unknown[] = [];
  return { store, studio: createStudio({ store, onError: (error) => errors.push(error) }), errors };
}

/** Sends bytes and returns the first line of the answer. */
async function statusOf(port: number, text: string): Promise<string> {
  const socket = connect(port, '127.0.0.1');
  onTestFinished(() => void socket.destroy());
  socket.write(text);
  const chunk = await new Promise((resolve) => socket.once('data', resolve));
  return String(chunk).split('\r\n')[0] ?? '';
}

it.each([
  ['a Host that is no host', 'GET / HTTP/1.1\r\nHost: [[\r\n\r\n', '400 Bad Request'],
  ['a path that is no URL', 'GET //[ HTTP/1.1\r\nHost: localhost\r\n\r\n', '404 Not Found'],
  ['another host', 'GET http://evil.example/ HTTP/1.1\r\nHost: evil.example\r\n\r\n', '403 Forbidden'],
  ['a method that no request may have', 'TRACE / HTTP/1.1\r\nHost: localhost\r\n\r\n', '400 Bad Request'],
  [
    'no body',
    'POST /api/about HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n\r\n',
    '400 Bad Request',
  ],
])('over node:http, %s is answered', async (_, text, status) => {
  const store = await createMemoryStore({ sweep: false });
  onTestFinished(() => store.close());
  const { url, close } = await serve({ store });
  onTestFinished(close);

  expect(await statusOf(Number(new URL(url).port), text)).toBe(`HTTP/1.1 ${status}`);
  expect((await fetch(url)).status).toBe(200);
});

it('a login of authorize can set several cookies, beside the headers that a framework has set', async () => {
  const headers = new Headers([
    ['set-cookie', 'a=1'],
    ['set-cookie', 'b=2'],
  ]);
  const { store } = await prepare();
  const listener = toNodeListener(
    createStudio({ store, authorize: () => new Response(null, { status: 401, headers }) }),
  );
  const port = await listening((request, response) => {
    response.setHeader('x-powered-by', 'a framework');
    void listener(request, response);
  });

  const response = await fetch(`http://127.0.0.1:${port}/`);
  expect(response.headers.getSetCookie()).toEqual(['a=1', 'b=2']);
  expect(response.headers.get('x-powered-by')).toBe('a framework');
});

const WANTED = 'not a web-standard Request; with node:http or Express, use toNodeListener(studio)';

it('fetch as a listener of node:http answers with 500, and its operator learns what to use', async () => {
  const { studio, errors } = await prepare();
  const port = await listening(studio.fetch as never);

  for (const method of ['GET', 'POST']) {
    expect((await fetch(`http://127.0.0.1:${port}/`, { method })).status).toBe(500);
  }
  const error = new TypeError(`Request is an object of class IncomingMessage, ${WANTED}`);
  expect(errors).toEqual([error, error]);
});

it.each<[string, unknown]>([
  ['undefined', undefined],
  ['null', null],
  ['a string', 'http://localhost/'],
  ['an object', { url: '/', headers: {} }],
  ['an object', { url: '/', headers: new Headers() }],
  ['an object of class URL', new URL('http://localhost/')],
])('fetch of %s is answered with 500, and its operator learns why', async (kind, value) => {
  const { studio, errors } = await prepare();

  for (const connection of [undefined, LOOPBACK]) {
    expect((await studio.fetch(value as never, connection)).status).toBe(500);
  }
  const error = new TypeError(`Request is ${kind}, ${WANTED}`);
  expect(errors).toEqual([error, error]);
});

it('what is no studio is refused', () => {
  expect(() => toNodeListener({} as never)).toThrow('Studio is an object, not what createStudio gives');
});
