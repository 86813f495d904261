import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { createMemoryStore } from '@mcp-session/core/memory';
import { createSessionHandler } from '@mcp-session/http/v2';
import {
  Client,
  StreamableHTTPClientTransport,
  type StreamableHTTPClientTransportOptions,
} from '@modelcontextprotocol/client';
import { McpServer, OAuthError, OAuthErrorCode, type OAuthTokenVerifier } from '@modelcontextprotocol/server';
import { root } from '@mcp-session-tooling/workspace/packages';
import { expect, it, onTestFinished } from 'vitest';
import { type Block, blocksOf } from '../src/documents.ts';
import { emptyFolder, freePort, start, untilItListens } from './support/server.ts';

const blocksOfPage = (path: string): Block[] =>
  blocksOf({ path, text: readFileSync(join(root, path), 'utf8') }).filter(({ language }) => language === 'ts');

/** A client at its defaults, and what calls a tool and returns its text. */
async function connect(url: string, options: StreamableHTTPClientTransportOptions = {}) {
  const client = new Client({ name: 'reader', version: '1.0.0' });
  await client.connect(new StreamableHTTPClientTransport(new URL(url), options));
  onTestFinished(() => client.close());
  return async (name: string, args = {}): Promise<string> => {
    const { content } = await client.callTool({ name, arguments: args });
    return content.map((item) => (item.type === 'text' ? item.text : '')).join('\n');
  };
}

const LIMIT_MS = 120_000;

it('the server of "Getting started" goes on after kill -9', { timeout: LIMIT_MS }, async () => {
  const blocks = blocksOfPage('docs/getting-started.md');
  const [, , listen, slow] = blocks;
  const folder = emptyFolder();
  const port = await freePort();
  const codeThat = (read: string): string =>
    `const read = ${read};\n${listen?.prelude}${listen?.code}`
      .replace('3000', String(port))
      .replace('return server;', `${slow?.code}\nreturn server;`);
  // The function that the reader brings. In the first process, it stops at the seventh chapter.
  const stops = "async (chapter) => { if (chapter === 7) { console.log('stopped'); await new Promise(() => {}); } }";
  writeFileSync(join(folder, 'server.mjs'), codeThat(stops));
  writeFileSync(join(folder, 'again.mjs'), codeThat('async () => {}'));
  const server = start(join(folder, 'server.mjs'), folder);
  await untilItListens(port);
  const call = await connect(`http://127.0.0.1:${port}/mcp`);
  expect(await call('add_note', { text: 'buy milk' })).toBe('1 notes');
  const interrupted = call('read_book').catch(() => 'interrupted');
  await new Promise((resolve) => server.stdout?.once('data', resolve));

  server.kill('SIGKILL');
  start(join(folder, 'again.mjs'), folder);
  await untilItListens(port);

  expect(await call('add_note', { text: 'call Ada' })).toBe('2 notes');
  expect(await call('read_book')).toBe('Read chapters 7 to 12');
  expect(await interrupted).toBe('interrupted');
});

interface FetchHandler {
  readonly fetch: (request: Request) => Response | Promise<Response>;
}

const verifier: OAuthTokenVerifier = {
  async verifyAccessToken(token) {
    if (token !== 'ada') throw new OAuthError(OAuthErrorCode.InvalidToken, 'The token is not valid');
    return { token, clientId: 'reader', scopes: [], expiresAt: 4e9, extra: { iss: 'https://id.example', sub: token } };
  },
};

it.each(['Express', 'Fastify', 'Hono'])('the recipe for %s verifies the token and serves the session', async (name) => {
  const page = readFileSync(join(root, 'docs/guides/serving.md'), 'utf8');
  const section = page.split(/^## /m).find((each) => each.startsWith(`${name}\n`)) ?? '';
  const [block] = blocksOf({ path: 'docs/guides/serving.md', text: section });
  const store = await createMemoryStore();
  const handler = createSessionHandler({
    store,
    createServer: ({ session }) => {
      const server = new McpServer({ name: 'notes', version: '1.0.0' });
      server.registerTool('owner', {}, () => ({ content: [{ type: 'text', text: String(session.principal) }] }));
      return server;
    },
  });
  onTestFinished(() => handler.close());
  // The names that the page presupposes.
  Object.assign(globalThis, { handler, verifier });
  const port = await freePort();
  const folder = fileURLToPath(new URL('../.recipes/', import.meta.url));
  mkdirSync(folder, { recursive: true });
  const file = join(mkdtempSync(folder), 'recipe.ts');
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
  writeFileSync(file, `${block?.code}`.replace('3000', String(port)));
  // Express and Fastify listen. Hono's recipe exports what a runtime serves.
  const { default: app } = (await import(/* @vite-ignore */ file)) as { readonly default?: FetchHandler };
  const send: typeof fetch = async (url, init) => (app ? app.fetch(new Request(url, init)) : fetch(url, init));

  const url = `http://127.0.0.1:${port}/mcp`;
  expect((await send(url, { method: 'POST' })).status).toBe(401);
  const requestInit = { headers: { authorization: 'Bearer ada' } };
  expect(await (await connect(url, { fetch: send, requestInit }))('owner')).toBe('https://id.example|ada');
});
