import { createMemoryStore } from '@mcp-session/core/memory';
import { McpServer } from '@modelcontextprotocol/server';
import express from 'express';
import { createServer, type RequestListener } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterAll, describe, expect, it, onTestFinished, vi } from 'vitest';
import * as v1 from '../../src/v1.ts';
import * as v2 from '../../src/v2.ts';

const store = await createMemoryStore();
afterAll(() => store.close());

const required = { store, createServer: () => new McpServer({ name: 'test', version: '1.0.0' }) };
const got = (kind: string): string =>
  `TypeError: fetch got ${kind}, not a web-standard Request; with node:http, Express or Fastify, use toNodeHandler(handler)`;

describe.each([
  ['v1', (options: object) => v1.createSessionHandler(options as never)],
  ['v2', (options: object) => v2.createSessionHandler(options as never)],
  [
    'both eras',
    (options: object) => v2.createDualEraHandler({ createStatelessServer: required.createServer, ...options } as never),
  ],
])('fetch that gets no web-standard request, %s', (_, create) => {
  it.each([
    ['node:http', (fetch: RequestListener) => fetch],
    ['Express', (fetch: RequestListener) => express().all('/mcp', fetch)],
  ])('as the listener of %s: the client gets 500, and onError the remedy', async (_framework, listenerOf) => {
    const errors: string[] = [];
    const handler = create({ ...required, onError: (error: unknown) => void errors.push(String(error)) });
    const server = createServer(listenerOf(handler.fetch as never));
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    onTestFinished(async () => {
      await handler.close();
      server.closeAllConnections();
      server.close();
    });
    const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/mcp`;
    for (const method of ['POST', 'GET']) {
      const response = await fetch(url, { method });
      expect([response.status, await response.json()]).toEqual([
        500,
        { jsonrpc: '2.0', id: null, error: { code: -32_603, message: 'Internal server error' } },
      ]);
    }
    expect(errors).toEqual(Array(2).fill(got('an object of class IncomingMessage')));
  });

  it('it never rejects, and without onError the console gets the remedy', async () => {
    const written = vi.spyOn(console, 'error').mockImplementation(() => undefined);
    onTestFinished(() => written.mockRestore());
    const handler = create(required);
    for (const given of [undefined, null, 'http://localhost/mcp', new URL('http://localhost/mcp'), {}]) {
      expect((await handler.fetch(given as never)).status).toBe(500);
    }
    expect(written.mock.calls.map(([, error]) => String(error))).toEqual(
      ['undefined', 'null', 'a string', 'an object of class URL', 'an object'].map(got),
    );
    await handler.close();
  });

  it('it never rejects, though the request or the response of node:http fails', async () => {
    const errors: unknown[] = [];
    const handler = create({ ...required, onError: (error: unknown) => void errors.push(error) });
    const failure = new Error('It fails');
    const fail = (): never => {
      throw failure;
    };
    const unreadable = Object.defineProperty(new Request('http://localhost/mcp'), 'headers', { get: fail });
    expect((await handler.fetch(unreadable)).status).toBe(500);
    expect(errors.splice(0)).toEqual([new TypeError('fetch got a request that cannot be read', { cause: failure })]);
    const later = { method: 'GET', url: 'http://localhost/mcp', headers: { get: fail } };
    expect((await handler.fetch(later as never)).status).toBe(500);
    expect(errors.splice(0)).toEqual([failure]);
    for (const response of [
      { headersSent: false, writeHead: fail, end: fail },
      Object.defineProperty({}, 'headersSent', { get: fail }),
    ]) {
      expect((await handler.fetch({} as never, response as never)).status).toBe(500);
      expect(errors.splice(0).map(String)).toEqual([got('an object'), 'Error: It fails']);
    }
    await handler.close();
  });
});
