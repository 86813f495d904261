import { createMemoryStore } from '@mcp-session/core/memory';
import { requireBearerAuth as requireBearerAuthV2 } from '@modelcontextprotocol/express';
import { requireBearerAuth as requireBearerAuthV1 } from '@modelcontextprotocol/sdk/server/auth/middleware/bearerAuth.js';
import { OAuthError, OAuthErrorCode, requireBearerAuth as requireBearerAuthWeb } from '@modelcontextprotocol/server';
import { InvalidTokenError } from '@modelcontextprotocol/sdk/server/auth/errors.js';
import express from 'express';
import Fastify from 'fastify';
import { Hono } from 'hono';
import { createServer, type IncomingMessage, type RequestListener, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { describe, expect, it, onTestFinished } from 'vitest';
import { type LambdaEvent, toLambdaHandler } from '../src/lambda.ts';
import { toNodeHandler } from '../src/node.ts';
import type { SessionHandler } from '../src/v1.ts';
import type { TestAuth } from './support/line.ts';
import { v1 } from './support/v1.ts';
import { v2 } from './support/v2.ts';
import { initialize, RawClient } from './support/raw.ts';

const known = new Set(['ada', 'bob']);

/** A verifier of tokens: the token names its subject. */
async function verify(token: string): Promise<TestAuth & { expiresAt: number }> {
  if (!known.has(token)) throw new InvalidTokenError('no such token');
  return {
    token,
    clientId: 'one app for all',
    scopes: [],
    expiresAt: 9_999_999_999,
    extra: { iss: 'https://i', sub: token },
  };
}

async function verifyV2(token: string): Promise<TestAuth & { expiresAt: number }> {
  if (!known.has(token)) throw new OAuthError(OAuthErrorCode.InvalidToken, 'no such token');
  return verify(token);
}

async function handlerOf(line = v2): Promise<SessionHandler<TestAuth>> {
  const store = await createMemoryStore();
  const handler = line.createHandler({
    store,
    retryIntervalMs: 20,
    serve: ({ principal }) => ({ tools: { whoami: () => String(principal) } }),
  });
  onTestFinished(async () => {
    await handler.close();
    await store.close();
  });
  return handler;
}

async function listen(listener: RequestListener): Promise<URL> {
  const server = createServer(listener);
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  onTestFinished(() => {
    server.closeAllConnections();
    server.close();
  });
  return new URL(`http://127.0.0.1:${(server.address() as AddressInfo).port}/mcp`);
}

/** What has to hold behind any framework: a real client is served, as whom its token says, and nobody else gets at its session. */
async function expectServed(url: URL, line = v2): Promise<void> {
  const client = await line.connect(url, { headers: { authorization: 'Bearer ada' } });
  expect(await client.call('whoami')).toBe('https://i|ada');
  const bob = new RawClient(url, { authorization: 'Bearer bob', 'mcp-session-id': client.sessionId });
  expect((await bob.callTool('whoami')).status).toBe(404);
  expect((await new RawClient(url).post(initialize())).status).toBe(401);
  expect((await new RawClient(url, { authorization: 'Bearer eve' }).post(initialize())).status).toBe(401);
  await client.terminate();
  await client.close();
  expect(client.errors).toEqual([]);
}

describe('adapters', () => {
  it("Express, with SDK v2's bearer middleware, and a body that express.json() has parsed", async () => {
    const app = express();
    app.use(express.json());
    app.all(
      '/mcp',
      requireBearerAuthV2({ verifier: { verifyAccessToken: verifyV2 } }),
      toNodeHandler(await handlerOf()),
    );
    await expectServed(await listen(app));
  });

  it("Express, with SDK v1's bearer middleware", async () => {
    const app = express();
    const handler = await handlerOf(v1);
    app.all('/mcp', requireBearerAuthV1({ verifier: { verifyAccessToken: verify } }), toNodeHandler(handler));
    await expectServed(await listen(app), v1);
  });

  it('Fastify', async () => {
    const mcp = toNodeHandler(await handlerOf());
    const auth = requireBearerAuthWeb({ verifier: { verifyAccessToken: verifyV2 } });
    const app = Fastify();
    app.all('/mcp', async (request, reply) => {
      const verified = await auth(
        new Request('http://localhost', { headers: { authorization: request.headers.authorization ?? '' } }),
      );
      if (verified instanceof Response) return reply.send(verified);
      reply.hijack();
      await mcp(Object.assign(request.raw, { body: request.body, auth: verified }), reply.raw);
      return reply;
    });
    await app.listen({ host: '127.0.0.1', port: 0 });
    onTestFinished(() => app.close());
    const { port } = app.server.address() as AddressInfo;
    await expectServed(new URL(`http://127.0.0.1:${port}/mcp`));
    app.server.closeAllConnections();
  });

  it('Hono, and whatever else speaks in web-standard requests and responses', async () => {
    const handler = await handlerOf();
    const auth = requireBearerAuthWeb({ verifier: { verifyAccessToken: verifyV2 } });
    const app = new Hono();
    app.all('/mcp', async ({ req }) => {
      const authInfo = await auth(req.raw);
      return authInfo instanceof Response ? authInfo : handler.fetch(req.raw, { authInfo });
    });
    const bridge = toNodeHandler<unknown>({ fetch: async (request) => app.fetch(request) });
    await expectServed(await listen((request, response) => void bridge(request, response)));
  });

  it('AWS Lambda: each request is one event, streams are answered in parts, and nothing is lost in between', async () => {
    const handler = await handlerOf();
    const lambda = toLambdaHandler<TestAuth>(handler, {
      maxStreamMs: 200,
      authInfo: async ({ headers }) => verify(headers['authorization']?.slice('Bearer '.length) ?? ''),
    });
    const events: LambdaEvent[] = [];
    const invoke = async (request: IncomingMessage, response: ServerResponse): Promise<void> => {
      const body = Buffer.concat(await request.toArray());
      const event: LambdaEvent = {
        rawPath: '/mcp',
        rawQueryString: '',
        headers: request.headers as Record<string, string>,
        requestContext: { http: { method: request.method ?? '' } },
        ...(body.length > 0 && { body: body.toString('base64'), isBase64Encoded: true }),
      };
      events.push(event);
      const result = await lambda(event, { getRemainingTimeInMillis: () => 30_000 });
      response.writeHead(result.statusCode, result.headers).end(result.body);
    };
    const url = await listen((request, response) => void invoke(request, response));
    const client = await v2.connect(url, { headers: { authorization: 'Bearer ada' }, maxRetries: 1_000 });
    expect(await client.call('whoami')).toBe('https://i|ada');
    // The standalone stream is a series of polls.
    expect(await handler.broadcast({ method: 'notifications/message', params: { level: 'info', data: 'news' } })).toBe(
      1,
    );
    await client.until(({ params }) => params['data'] === 'news');
    expect(events.filter(({ requestContext }) => requestContext.http.method === 'GET').length).toBeGreaterThan(0);
    await client.close();
  });
});
