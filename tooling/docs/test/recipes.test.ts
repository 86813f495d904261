import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { PassThrough, Readable } from 'node:stream';
import { createMemoryStore } from '@mcp-session/core/memory';
import { createSessionHandler } from '@mcp-session/http/v2';
import {
  Client,
  StreamableHTTPClientTransport,
  type StreamableHTTPClientTransportOptions,
} from '@modelcontextprotocol/client';
import { McpServer, OAuthError, OAuthErrorCode, type OAuthTokenVerifier } from '@modelcontextprotocol/server';
import { expect, it, onTestFinished } from 'vitest';
import { blocksOfPage, folderWith, withReplaced } from './support/pasted.ts';
import { emptyFolder, freePort, start, untilItIsGone, untilItListens } from './support/server.ts';

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
  await untilItIsGone(port);
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

const SERVING = 'docs/guides/serving.md';

/**
 * Loads a recipe of the page as its reader would, and gives it the names that the page presupposes.
 */
async function load(section: string, texts: Readonly<Record<string, string>>): Promise<Record<string, unknown>> {
  const store = await createMemoryStore();
  const handler = createSessionHandler({
    store,
    createServer: ({ session }) => {
      const server = new McpServer({ name: 'notes', version: '1.0.0' });
      const text = String(session.principal);
      server.registerTool('owner', {}, () => ({ content: [{ type: 'text', text }] }));
      server.registerTool('slow', {}, async () => {
        await new Promise((resolve) => setTimeout(resolve, 600));
        return { content: [{ type: 'text', text }] };
      });
      return server;
    },
  });
  onTestFinished(() => handler.close());
  Object.assign(globalThis, { handler, verifier });
  const [block] = blocksOfPage(SERVING, section);
  const folder = folderWith({ 'recipe.ts': withReplaced(block?.code ?? '', texts) });
  return (await import(/* @vite-ignore */ join(folder, 'recipe.ts'))) as Record<string, unknown>;
}

/**
 * What each recipe promises: 401 without a token, and a session of the user whom the token names.
 */
async function expectVerified(url: string, send: typeof fetch, tool = 'owner'): Promise<void> {
  expect((await send(url, { method: 'POST' })).status).toBe(401);
  const requestInit = { headers: { authorization: 'Bearer ada' } };
  expect(await (await connect(url, { fetch: send, requestInit }))(tool)).toBe('https://id.example|ada');
}

it.each(['Express', 'Fastify', 'Hono'])('the recipe for %s verifies the token and serves the session', async (name) => {
  const port = await freePort();
  // Express and Fastify listen. Hono's recipe exports what a runtime serves.
  const { default: app } = await load(name, name === 'Hono' ? {} : { 3000: String(port) });
  const served = app as FetchHandler | undefined;
  const send: typeof fetch = async (url, init) => (served ? served.fetch(new Request(url, init)) : fetch(url, init));

  await expectVerified(`http://127.0.0.1:${port}/mcp`, send);
});

/** The event that an HTTP API of API Gateway makes of a request, in payload format 2.0. */
async function eventOf(request: Request): Promise<object> {
  const { pathname, search, host } = new URL(request.url);
  const http = { method: request.method, path: pathname, protocol: 'HTTP/1.1', sourceIp: '192.0.2.1' };
  const body = Buffer.from(await request.arrayBuffer());
  return {
    version: '2.0',
    routeKey: '$default',
    rawPath: pathname,
    rawQueryString: search.slice(1),
    headers: { host, ...Object.fromEntries(request.headers) },
    requestContext: { apiId: 'api', domainName: host, http, requestId: 'request', stage: '$default' },
    ...(body.length > 0 && { body: body.toString('base64') }),
    isBase64Encoded: body.length > 0,
  };
}

interface Answer {
  readonly statusCode: number;
  readonly headers: Record<string, string>;
  readonly body: string;
}

it('the recipe for AWS Lambda verifies the token, and whole answers and streams serve the session', async () => {
  const from = (output: PassThrough, answer: Answer) => output.emit('answer', answer) && output;
  const awslambda = { streamifyResponse: (handler: unknown) => handler, HttpResponseStream: { from } };
  Object.assign(globalThis, { awslambda });
  onTestFinished(() => void Reflect.deleteProperty(globalThis, 'awslambda'));
  type Whole = (event: object, context: object) => Promise<Answer>;
  type Streaming = (event: object, output: PassThrough, context: object) => Promise<void>;
  const recipe = await load('AWS Lambda', { '5_000': '200' });
  const { whole, streaming } = recipe as { readonly whole: Whole; readonly streaming: Streaming };
  const context = { getRemainingTimeInMillis: () => 10_000 };

  let resumed = 0;
  const sendWhole: typeof fetch = async (url, init) => {
    const request = new Request(url, init);
    if (request.headers.has('last-event-id')) resumed++;
    const { statusCode, headers, body } = await whole(await eventOf(request), context);
    return new Response(body === '' ? null : body, { status: statusCode, headers });
  };
  const sendStreaming: typeof fetch = async (url, init) => {
    const output = new PassThrough();
    const answered = new Promise<Answer>((resolve) => output.once('answer', resolve));
    const done = streaming(await eventOf(new Request(url, init)), output, context);
    const { statusCode, headers } = await Promise.race([answered, done.then(() => answered)]);
    return new Response(Readable.toWeb(output) as ReadableStream, { status: statusCode, headers });
  };

  await expectVerified('https://api.example/mcp', sendWhole);
  await expectVerified('https://api.example/mcp', sendStreaming, 'slow');
  // A whole answer is there before its tool is done. The client comes back for the rest.
  resumed = 0;
  await expectVerified('https://api.example/mcp', sendWhole, 'slow');
  expect(resumed).toBeGreaterThan(0);
});
