import { requireBearerAuth as requireBearerAuthV2 } from '@modelcontextprotocol/express';
import { requireBearerAuth as requireBearerAuthV1 } from '@modelcontextprotocol/sdk/server/auth/middleware/bearerAuth.js';
import { requireBearerAuth as requireBearerAuthWeb } from '@modelcontextprotocol/server';
import express from 'express';
import Fastify from 'fastify';
import { Hono } from 'hono';
import { createServer, type RequestListener } from 'node:http';
import type { AddressInfo } from 'node:net';
import { describe, expect, it, onTestFinished } from 'vitest';
import { toNodeHandler } from '../../src/node.ts';
import { expectServed, handlerOf, verifyV1, verifyV2 } from '../support/adapter.ts';
import { v1 } from '../support/v1.ts';

async function listen(listener: RequestListener): Promise<URL> {
  const server = createServer(listener);
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  onTestFinished(() => {
    server.closeAllConnections();
    server.close();
  });
  return new URL(`http://127.0.0.1:${(server.address() as AddressInfo).port}/mcp`);
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

  it('Express, below a path: the handler sees the whole URL', async () => {
    const app = express();
    const mounted = express.Router();
    mounted.all('/mcp', toNodeHandler<unknown>({ fetch: async ({ url }) => new Response(url) }));
    app.use('/below', mounted);
    const { origin } = await listen(app);
    const url = `${origin}/below/mcp?q=1`;
    expect(await (await fetch(url)).text()).toBe(url);
  });

  it("Express, with SDK v1's bearer middleware", async () => {
    const app = express();
    const handler = await handlerOf({ line: v1 });
    app.all('/mcp', requireBearerAuthV1({ verifier: { verifyAccessToken: verifyV1 } }), toNodeHandler(handler));
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

  it('Hono, as any framework with web-standard requests and responses', async () => {
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
});
