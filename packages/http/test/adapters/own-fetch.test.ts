import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { expect, it, onTestFinished, vi } from 'vitest';
import { type FetchHandler, toLambdaHandler } from '../../src/lambda.ts';
import { toNodeHandler } from '../../src/node.ts';

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
    const failing = {
      fetch: async () => {
        throw new Error(`Token cannot be verified behind ${name}`);
      },
    };
    expect([await status(failing), await status(failing)]).toEqual([500, 500]);
    // The same cause has one line a minute.
    expect(written.mock.calls.map(([, error]) => String(error))).toEqual([
      `Error: Token cannot be verified behind ${name}`,
    ]);
  },
);

it('a fetch that returns no response is a 500 that the console gets', async () => {
  const written = vi.spyOn(console, 'error').mockImplementation(() => undefined);
  onTestFinished(() => written.mockRestore());
  for (const [, status] of adapters) expect(await status({ fetch: async () => undefined as never })).toBe(500);
  expect(written.mock.calls.map(([, error]) => String(error))).toEqual([
    'TypeError: Function fetch of the handler returned undefined, not a Response',
  ]);
});
