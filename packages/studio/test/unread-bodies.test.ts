import { once } from 'node:events';
import { connect } from 'node:net';
import { createMemoryStore } from '@mcp-session/core/memory';
import { createStudio } from '@mcp-session/studio';
import { toNodeListener, type NodeListener } from '@mcp-session/studio/node';
import { describe, expect, it, onTestFinished, vi } from 'vitest';
import { answerOf, Connection, framed, listening, type Framing, type Sent } from './support/keep-alive.ts';

const JSON_TYPE = { 'content-type': 'application/json' };
const OPERATOR = { ...JSON_TYPE, 'x-role': 'operator' };
const LOGIN = { ...JSON_TYPE, 'x-role': 'guest' };
/** A request that is answered with 200. */
const COUNT: Sent = { path: '/studio/api/count', headers: OPERATOR };

const framings = ['length', 'chunked'] as const;
const sizes = { '1 KB': 1_000, '1 MB': 1_000_000 };

const requests: Readonly<Record<string, Sent & { readonly status: number; readonly largeStatus?: number }>> = {
  'a page with a body': { status: 200, method: 'GET', path: '/studio/', headers: OPERATOR },
  'a redirect of authorize': { status: 302, path: '/studio/api/sessions', headers: LOGIN },
  'a redirect to the page': { status: 308, path: '/studio' },
  'a method that no request may have': { status: 400, method: 'TRACE', path: '/studio/' },
  'a refusal of authorize': { status: 403, path: '/studio/api/sessions', headers: JSON_TYPE },
  'another origin': {
    status: 403,
    path: '/studio/api/sessions',
    headers: { ...OPERATOR, origin: 'http://evil.example' },
  },
  'an unknown operation': { status: 404, path: '/studio/api/none', headers: OPERATOR },
  'a path outside': { status: 404, path: '/elsewhere', headers: OPERATOR },
  'a wrong method': { status: 405, path: '/studio/index.html', headers: OPERATOR },
  'a wrong body': { status: 400, largeStatus: 413, path: '/studio/api/sessions', headers: OPERATOR },
  'a wrong type': {
    status: 415,
    path: '/studio/api/sessions',
    headers: { ...OPERATOR, 'content-type': 'text/plain' },
  },
};

async function prepare(): Promise<NodeListener> {
  const store = await createMemoryStore({ sweep: false });
  onTestFinished(() => store.close());
  const authorize = ({ headers }: Request) => {
    const role = headers.get('x-role');
    if (role === 'guest') return new Response(null, { status: 302, headers: { location: '/login' } });
    return role === 'operator';
  };
  return toNodeListener(createStudio({ store, basePath: '/studio', authorize }));
}

const cases = Object.entries(requests).flatMap(([name, request]) =>
  Object.entries(sizes).flatMap(([size, length]) =>
    framings.map((framing) => ({ name, request, size, length, framing })),
  ),
);

it.each(cases)(
  'the connection goes on after $name with $size by $framing',
  async ({ request: { status, largeStatus = status, ...request }, length, framing }) => {
    const connection = new Connection(await listening(await prepare()));

    const answered = await connection.send(request, 'x'.repeat(length), framing);
    expect(answered.status).toBe(length === sizes['1 MB'] ? largeStatus : status);
    expect(await connection.send(COUNT, '{}')).toMatchObject({ status: 200, isReused: true });
  },
);

it('a client that sends on after its refusal gets no reset connection', async () => {
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] });
  onTestFinished(() => void vi.useRealTimers());
  const socket = connect(await listening(await prepare()), '127.0.0.1');
  onTestFinished(() => void socket.destroy());
  const closed = once(socket, 'close');
  let text = '';
  const refused = new Promise<void>((resolve) => {
    socket.setEncoding('utf8').on('data', (chunk: string) => {
      text += chunk;
      if (text.endsWith('}')) resolve();
    });
  });

  socket.write(`POST /studio HTTP/1.1\r\nhost: localhost\r\ncontent-length: 6000000\r\n\r\n${'x'.repeat(5_000_000)}`);
  await refused;
  expect(text).toMatch(/^HTTP\/1.1 413 /);
  await new Promise<void>((resolve, reject) => {
    socket.once('error', reject).write('x'.repeat(1_000_000), () => resolve());
  });
  expect(await closed).toEqual([false]);
});

describe.each(framings)('a body by %s', (framing: Framing) => {
  it('that something in front has begun to read is read on, and the connection goes on', async () => {
    const listener = await prepare();
    const connection = new Connection(
      await listening((request, response) => {
        request.once('readable', () => void listener(request.pause(), response));
      }),
    );

    for (const length of Object.values(sizes)) {
      expect(await connection.send({ path: '/studio/api/none' }, 'x'.repeat(length), framing)).toMatchObject({
        status: 404,
      });
      expect(await connection.send(COUNT, '{}', framing)).toMatchObject({ status: 200, isReused: true });
    }
  });

  it('that something in front has read is empty, and the connection goes on', async () => {
    const listener = await prepare();
    const connection = new Connection(
      await listening((request, response) => {
        request.resume().once('end', () => void listener(request, response));
      }),
    );

    expect(await connection.send(COUNT, '{}', framing)).toMatchObject({ status: 400 });
    expect(await connection.send(COUNT, '{}', framing)).toMatchObject({ status: 400, isReused: true });
  });

  it('that is too large to discard is refused, and the client reads the refusal before its connection closes', async () => {
    const connection = new Connection(await listening(await prepare()));

    expect(await connection.send(COUNT, 'x'.repeat(6_000_000), framing)).toMatchObject({
      status: 413,
      headers: { connection: 'close' },
      text: expect.stringContaining('Body exceeds 16384 bytes'),
    });
    expect(await connection.send(COUNT, '{}')).toMatchObject({ status: 200, isReused: false });
  });

  it('that never arrives is refused after 10 seconds, and its connection closes', async () => {
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] });
    onTestFinished(() => void vi.useRealTimers());
    const listener = await prepare();
    const received = Promise.withResolvers<void>();
    const port = await listening((request, response) => {
      void listener(request, response);
      received.resolve();
    });
    const begun = new Connection(port).begin({ ...COUNT, headers: { ...OPERATOR, ...framed(100, framing) } });
    begun.write('{');
    const closed = once(begun, 'close');
    await received.promise;

    vi.advanceTimersByTime(9_999);
    const answered = answerOf(begun);
    vi.advanceTimersByTime(1);
    expect(await answered).toMatchObject({ status: 408, headers: { connection: 'close' } });
    vi.advanceTimersByTime(1_000);
    await closed;
  });

  it('that breaks off harms no other request', async () => {
    const listener = await prepare();
    const ended = Promise.withResolvers<void>();
    const port = await listening((request, response) => void listener(request, response).then(ended.resolve));
    const begun = new Connection(port).begin({ ...COUNT, headers: { ...OPERATOR, ...framed(100, framing) } });
    begun.on('error', () => undefined).write('{', () => begun.destroy());

    await ended.promise;
    expect(await new Connection(port).send(COUNT, '{}', framing)).toMatchObject({ status: 200 });
  });
});
