import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { Client, StreamableHTTPClientTransport } from '@modelcontextprotocol/client';
import { exportJWK, generateKeyPair, SignJWT, type JWTPayload } from 'jose';
import { expect, it, onTestFinished } from 'vitest';
import { codeWith, blocksOfPage, folderWith, withReplaced } from './support/pasted.ts';
import { freePort, start, untilItListens } from './support/server.ts';

// The verifier of the page, behind the recipe for Express, with a provider of its own.

const AUDIENCE = 'https://mcp.example.com/mcp';

const SERVER = `
import { createMemoryStore } from '@mcp-session/core/memory';
import { createSessionHandler } from '@mcp-session/http/v2';
import { McpServer } from '@modelcontextprotocol/server';
import { verifier } from './verifier.ts';

const handler = createSessionHandler({
  store: await createMemoryStore(),
  createServer: ({ session }) => {
    const server = new McpServer({ name: 'notes', version: '1.0.0' });
    server.registerTool('owner', {}, () => ({ content: [{ type: 'text', text: session.principal }] }));
    return server;
  },
});
Object.assign(globalThis, { handler, verifier });
await import('./express.ts');
`;

/** An OpenID provider: its issuer, and what signs tokens. `close` makes it unreachable. */
async function startProvider() {
  const { publicKey, privateKey } = await generateKeyPair('ES256');
  const keys = { keys: [{ ...(await exportJWK(publicKey)), kid: 'key', alg: 'ES256' }] };
  const server = createServer((request, response) => {
    response.writeHead(request.url === '/.well-known/jwks.json' ? 200 : 404, { 'content-type': 'application/json' });
    response.end(JSON.stringify(keys));
  });
  await once(server.listen(0, '127.0.0.1'), 'listening');
  const close = (): void => {
    server.closeAllConnections();
    server.close();
  };
  onTestFinished(close);
  const issuer = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  const sign = async (claims: JWTPayload, key = privateKey): Promise<string> =>
    new SignJWT({ iss: issuer, aud: AUDIENCE, ...claims }).setProtectedHeader({ alg: 'ES256', kid: 'key' }).sign(key);
  return { issuer, sign, close };
}

async function startServer(issuer: string): Promise<string> {
  const port = await freePort();
  const folder = folderWith({
    'verifier.ts': withReplaced(codeWith('docs/guides/authentication.md', 'createRemoteJWKSet'), {
      'https://id.example.com': issuer,
    }),
    'express.ts': withReplaced(blocksOfPage('docs/guides/serving.md', 'Express')[0]?.code ?? '', {
      3000: String(port),
    }),
    'server.ts': SERVER,
  });
  start(join(folder, 'server.ts'), folder);
  await untilItListens(port);
  return `http://127.0.0.1:${port}/mcp`;
}

const statusWith = async (url: string, token: string): Promise<number> =>
  (await fetch(url, { method: 'POST', headers: { authorization: `Bearer ${token}` } })).status;

it('the verifier of "Authenticate" takes the tokens of the provider and no other', { timeout: 60_000 }, async () => {
  const { issuer, sign, close } = await startProvider();
  const url = await startServer(issuer);
  const unreachable = await startServer(issuer);
  const exp = Math.floor(Date.now() / 1_000) + 600;
  const token = await sign({ sub: 'ada', exp });

  const client = new Client({ name: 'reader', version: '1.0.0' });
  const requestInit = { headers: { authorization: `Bearer ${token}` } };
  await client.connect(new StreamableHTTPClientTransport(new URL(url), { requestInit }));
  onTestFinished(() => client.close());
  expect((await client.callTool({ name: 'owner' })).content).toEqual([{ type: 'text', text: `${issuer}|ada` }]);
  const stranger = await generateKeyPair('ES256');
  const refused = {
    'another key': await sign({ sub: 'ada', exp }, stranger.privateKey),
    'another audience': await sign({ sub: 'ada', exp, aud: 'https://other.example.com' }),
    'another issuer': await sign({ sub: 'ada', exp, iss: 'https://other.example.com' }),
    'no subject': await sign({ exp }),
    'no expiry': await sign({ sub: 'ada' }),
    'it is expired': await sign({ sub: 'ada', exp: 1 }),
    'a key that the issuer does not have': await new SignJWT({ iss: issuer, aud: AUDIENCE, sub: 'ada', exp })
      .setProtectedHeader({ alg: 'HS256' })
      .sign(new Uint8Array(32)),
    'no signature': `${btoa('{"alg":"none"}')}.${token.split('.')[1]}.`,
    'no JWT': 'token',
  };
  const statuses = Object.entries(refused).map(async ([why, each]) => [why, await statusWith(url, each)]);
  expect(Object.fromEntries(await Promise.all(statuses))).toEqual(
    Object.fromEntries(Object.keys(refused).map((why) => [why, 401])),
  );

  close();
  expect(await statusWith(unreachable, token)).toBe(500);
});
