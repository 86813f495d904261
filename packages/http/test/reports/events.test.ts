import { SessionError } from '@mcp-session/core';
import { createMemoryStore } from '@mcp-session/core/memory';
import { McpServer } from '@modelcontextprotocol/server';
import { AsyncLocalStorage } from 'node:async_hooks';
import { describe, expect, it, onTestFinished, vi } from 'vitest';
import { closing, HttpError, notReady, sessionMoves, sessionNotFound } from '../../src/lib/protocol/http-errors.ts';
import { Journal } from '../../src/lib/reports/journal.ts';
import { Bounds } from '../../src/lib/stream/bounds.ts';
import { createDualEraHandler, createSessionHandler } from '../../src/v2.ts';
import { connectModern, makeServer, REVISION } from '../support/modern.ts';
import { Seen } from '../support/seen.ts';
import { serve } from '../support/serve.ts';

it('gets requests of revision 2026-07-28, in the context that the observer opens for them', async () => {
  const seen = new Seen();
  const contexts = new AsyncLocalStorage<string>();
  const store = await createMemoryStore();
  const handler = createDualEraHandler({
    store,
    createServer: () => makeServer('session'),
    createStatelessServer: () => {
      const server = new McpServer({ name: 'modern', version: '1.0.0' });
      server.registerTool('which', {}, () => ({ content: [{ type: 'text', text: contexts.getStore() ?? 'none' }] }));
      return server;
    },
    observe: (event) => {
      seen.observe(event);
      return event.type === 'operation-began' ? (work: () => void) => contexts.run('inside', work) : undefined;
    },
  });
  const served = await serve(handler);
  onTestFinished(async () => {
    await handler.close();
    await served.close();
    await store.close();
  });
  const { client } = await connectModern(served.url);
  expect((await client.callTool({ name: 'which', arguments: {} })).content).toEqual([{ type: 'text', text: 'inside' }]);
  await expect(client.callTool({ name: 'unknown', arguments: {} })).rejects.toThrow('unknown');
  await client.close();

  expect(seen.ended.slice(-2)).toEqual([
    ['tools/call', 'which', undefined, undefined, true],
    ['tools/call', 'unknown', '-32602', -32_602, true],
  ]);
  for (const { operation } of seen.of('operation-began')) {
    expect(operation).toMatchObject({ session: undefined, protocolVersion: REVISION });
  }
  expect(seen.of('operation-ended')).toHaveLength(seen.of('operation-began').length);
});

describe('a refusal has a reason that no client can choose', () => {
  const limits = {
    maxOpenRequests: 1,
    maxOpenRequestsPerPrincipal: 2,
    maxOpenRequestsPerProcess: 3,
    maxOpenStreams: 1,
    maxOpenStreamsPerPrincipal: 1,
  };
  const bounds = new Bounds(limits);
  const thrownBy = (work: () => void): unknown => {
    try {
      work();
    } catch (error) {
      return error;
    }
    return undefined;
  };
  bounds.openStream('ada');
  const full = new Bounds({ ...limits, maxOpenStreams: 9 });
  full.openStream('ada');

  it.each<[status: number, reason: string, error: unknown]>([
    [400, 'bad-request', new SessionError('INVALID_CURSOR', 'x')],
    [403, 'forbidden', new HttpError(403, 'Invalid Host header: evil.example')],
    [404, 'session-not-found', sessionNotFound()],
    [405, 'not-acceptable', new HttpError(405, 'Method not allowed.')],
    [409, 'stream-taken', new HttpError(409, 'Conflict')],
    [410, 'events-trimmed', new SessionError('EVENTS_TRIMMED', 'x')],
    [413, 'too-large', new SessionError('EVENT_TOO_LARGE', 'x')],
    [418, 'bad-request', new HttpError(418, 'x')],
    [429, 'too-many-requests', thrownBy(() => bounds.beginRequests({ sessionId: 's', principal: null }, 2))],
    [429, 'too-many-requests', thrownBy(() => bounds.beginRequests({ principal: 'ada' }, 3))],
    [503, 'too-many-requests', thrownBy(() => bounds.beginRequests({ principal: null }, 4))],
    [503, 'too-many-streams', thrownBy(() => bounds.checkStreams(null))],
    [429, 'too-many-streams', thrownBy(() => full.checkStreams('ada'))],
    [500, 'internal', new TypeError('x')],
    [503, 'closing', closing()],
    [503, 'moving', sessionMoves()],
    [503, 'not-ready', notReady()],
    [503, 'store', new SessionError('STORE_UNAVAILABLE', 'x')],
  ])('%s is %s', (status, reason, error) => {
    const seen = new Seen();
    const headers = { 'mcp-session-id': 'a-session-of-somebody' };
    const warn = vi.spyOn(console, 'warn').mockImplementation(() => undefined);
    onTestFinished(() => warn.mockRestore());
    new Journal({ observe: seen.observe }).refused(new Request('http://localhost/mcp', { headers }), error);
    const code = error instanceof SessionError ? error.code : undefined;
    expect(seen.all).toEqual([{ type: 'refused', method: 'GET', status, reason, code, session: 'a-ses…' }]);
  });
});

const required = { store: {} as never, createServer: () => new McpServer({ name: 'test', version: '1.0.0' }) };

it.each([
  [{ observe: 5 }, 'Option observe is not a function'],
  [{ observer: () => undefined }, 'Unknown option observer; did you mean observe?'],
])('is checked when the handler is made: %j', async (options, message) => {
  const store = await createMemoryStore();
  onTestFinished(() => store.close());
  expect(() => createSessionHandler({ ...required, store, ...(options as object) })).toThrow(message);
});

it('costs nothing if there is neither an observer nor a logger: no report is made of a request', () => {
  const request = { jsonrpc: '2.0', id: 1, method: 'tools/call' } as const;
  expect(new Journal({}).operation(request, undefined, undefined)).toBeUndefined();
  expect(new Journal({ observe: () => undefined }).operation(request, undefined, undefined)).toBeDefined();
});
