import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { describe, expect, it, onTestFinished, vi } from 'vitest';
import { type FetchHandler, toLambdaHandler } from '../../src/lambda.ts';
import { toNodeHandler } from '../../src/node.ts';
import { Connection, listening, wire } from '../support/keep-alive.ts';

const adapters: readonly (readonly [string, (handler: FetchHandler<unknown>) => Promise<number>])[] = [
  [
    'toNodeHandler',
    async (handler) => {
      const listener = toNodeHandler(handler);
      const server = createServer((request, response) => void listener(request, response));
      await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
      onTestFinished(() => void server.close());
      const { status } = await fetch(`http://127.0.0.1:${(server.address() as AddressInfo).port}/mcp`);
      server.closeAllConnections();
      return status;
    },
  ],
  [
    'toLambdaHandler',
    async (handler) => {
      const requestContext = { domainName: 'localhost', http: { method: 'GET' } };
      const event = { version: '2.0', rawPath: '/mcp', headers: {}, requestContext };
      return (await toLambdaHandler(handler)(event)).statusCode;
    },
  ],
];

it.each(adapters)(
  "%s: an error of the application's own fetch is a 500 that the console gets",
  async (name, status) => {
    const written = vi.spyOn(console, 'error').mockImplementation(() => undefined);
    onTestFinished(() => written.mockRestore());
    // Unique: another run of the test would find the cause written already.
    const message = `Token cannot be verified behind ${name}, ${crypto.randomUUID()}`;
    const failing = {
      fetch: async () => {
        throw new Error(message);
      },
    };
    expect([await status(failing), await status(failing)]).toEqual([500, 500]);
    // The same cause has one line a minute.
    expect(written.mock.calls.map(([, error]) => String(error))).toEqual([`Error: ${message}`]);
  },
);

/** A class with a name that no other run of the test has. */
function unique(fields: object): object {
  const name = `Answer_${crypto.randomUUID().replaceAll('-', '')}`;
  const constructor = Object.defineProperty(() => undefined, 'name', { value: name });
  return Object.assign(Object.create({ constructor }) as object, fields);
}

it.each([
  ['nothing of one', {}],
  ['headers that cannot be listed', { status: 200, body: null, headers: { get: () => null } }],
  ['a body that cannot be read', { status: 200, body: 'text', headers: new Headers() }],
])('a fetch that returns no response, but %s, is a 500 that the console gets', async (_, fields) => {
  const written = vi.spyOn(console, 'error').mockImplementation(() => undefined);
  onTestFinished(() => written.mockRestore());
  const answer = unique(fields);
  for (const [, status] of adapters) expect(await status({ fetch: async () => answer as never })).toBe(500);
  expect(written.mock.calls.map(([, error]) => String(error))).toEqual([
    `TypeError: Function fetch of the handler returned an object of class ${answer.constructor.name}, not a Response`,
  ]);
});

it.each(adapters)('%s: a response whose class has headers without getSetCookie is sent', async (_, status) => {
  const headers = Object.assign(new Map([['Set-Cookie', 'a=1']]), { getSetCookie: undefined });
  expect(await status({ fetch: async () => ({ status: 203, headers, body: null }) as never })).toBe(203);
});

describe("a client's body that the application's own fetch reads, and that does not come", () => {
  const [head, part] = [wire('POST', {}, 'x', 'chunked').split('\r\n\r\n')[0], '1\r\nx\r\n'];

  it('late: the client gets 408, and the console nothing', async () => {
    const written = vi.spyOn(console, 'error').mockImplementation(() => undefined);
    onTestFinished(() => written.mockRestore());
    const listener = toNodeHandler(
      { fetch: async (request) => new Response(await request.text()) },
      { bodyTimeoutMs: 50 },
    );
    const connection = new Connection(await listening(createServer((...given) => void listener(...given))));
    connection.socket.write(`${head}\r\n\r\n${part}`);
    expect((await connection.answer()).status).toBe(408);
    expect(written).not.toHaveBeenCalled();
  });

  it('broken off: the console gets nothing', async () => {
    const written = vi.spyOn(console, 'error').mockImplementation(() => undefined);
    onTestFinished(() => written.mockRestore());
    const asked = Promise.withResolvers<void>();
    const failed = Promise.withResolvers<unknown>();
    const listener = toNodeHandler({
      fetch: async (request) => {
        asked.resolve();
        try {
          return new Response(await request.text());
        } catch (error) {
          failed.resolve(error);
          throw error;
        }
      },
    });
    const over = Promise.withResolvers<void>();
    const server = createServer((...given) => void listener(...given).then(over.resolve));
    const connection = new Connection(await listening(server));
    connection.socket.write(`${head}\r\n\r\n${part}`);
    await asked.promise;
    connection.socket.destroy();
    expect(await failed.promise).toMatchObject({ status: 400, message: 'Bad Request: body was broken off' });
    await over.promise;
    expect(written).not.toHaveBeenCalled();
  });
});
