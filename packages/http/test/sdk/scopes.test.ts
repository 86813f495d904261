import { createMemoryStore } from '@mcp-session/core/memory';
import { McpServer, requireScopes } from '@modelcontextprotocol/server';
import { expect, it, onTestFinished } from 'vitest';
import { createSessionHandler } from '../../src/v2.ts';
import { initialize } from '../support/raw.ts';

const authInfo = {
  token: 't',
  clientId: 'c',
  scopes: ['read'],
  resource: new URL('https://mcp.example/mcp'),
  extra: { iss: 'https://issuer', sub: 'alice' },
};

it("SDK v2: a call that lacks a scope does not run and gets the SDK's challenge", async () => {
  const store = await createMemoryStore();
  const ran: string[] = [];
  const handler = createSessionHandler({
    store,
    createServer: () => {
      const server = new McpServer({ name: 'test', version: '1.0.0' });
      for (const scope of ['read', 'write']) {
        server.registerTool(scope, { scopeChallenge: requireScopes(scope) }, () => {
          ran.push(scope);
          return { content: [] };
        });
      }
      return server;
    },
  });
  onTestFinished(async () => {
    await handler.close();
    await store.close();
  });
  const headers: Record<string, string> = {
    'content-type': 'application/json',
    accept: 'application/json, text/event-stream',
  };
  const post = (message: unknown): Promise<Response> =>
    handler.fetch(new Request('https://mcp.example/mcp', { method: 'POST', headers, body: JSON.stringify(message) }), {
      authInfo,
    });
  headers['mcp-session-id'] = (await post(initialize())).headers.get('mcp-session-id') ?? '';

  const call = (name: string) =>
    post({ jsonrpc: '2.0', id: name, method: 'tools/call', params: { name, arguments: {} } });
  expect(await (await call('read')).text()).toContain('"result"');
  const refused = await call('write');
  expect(refused.status).toBe(403);
  expect(refused.headers.get('www-authenticate')).toMatch(
    /error="insufficient_scope".*scope="write".*resource_metadata="https:\/\/mcp\.example\/\.well-known\/oauth-protected-resource\/mcp"/,
  );
  expect(ran).toEqual(['read']);
});
