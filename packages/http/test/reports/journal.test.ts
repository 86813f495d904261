import { createMemoryStore } from '@mcp-session/core/memory';
import { McpServer } from '@modelcontextprotocol/server';
import { Console } from 'node:console';
import { PassThrough } from 'node:stream';
import { pino } from 'pino';
import { describe, expect, it, onTestFinished, vi } from 'vitest';
import { HttpError } from '../../src/lib/protocol/http-errors.ts';
import { Journal } from '../../src/lib/reports/journal.ts';
import { createDualEraHandler, createSessionHandler, type Logger } from '../../src/v2.ts';
import { start } from '../support/harness.ts';
import { lines } from '../support/lines.ts';

const USER = 'ada@example.com';
const TOKEN = `https://id.example|${USER}|app-of-ada`;
const SECRET = 'the-text-of-a-call';

interface Written {
  readonly logger: Logger;
  /** All that was written. */
  readonly text: () => string;
}

function toPino(): Written {
  const stream = new PassThrough();
  return { logger: pino({ level: 'debug', base: null, timestamp: false }, stream), text: () => String(stream.read()) };
}

function toConsole(): Written {
  const stream = new PassThrough();
  return { logger: new Console(stream, stream), text: () => String(stream.read()) };
}

describe.each(lines)('the log, SDK $name', (line) => {
  /** A session from its beginning to its end, with two processes, a refusal and an error. */
  async function play(logger: Logger): Promise<string> {
    const { raw, another } = await start(line, {
      tools: {
        echo: ({ text }) => String(text),
        fail: () => {
          throw new Error(SECRET);
        },
      },
      logger,
      ...({ onError: undefined } as object),
    });
    const client = raw({ authorization: `Bearer ${TOKEN}` });
    const id = await client.begin();
    await (await client.callTool('echo', { text: SECRET })).sse.rest();
    another();
    await (await client.callTool('fail')).sse.rest();
    await client.delete();
    await (await client.callTool('echo')).cancel();
    return id;
  }

  it('pino gets fields and a message for each event', async () => {
    const { logger, text } = toPino();
    const id = await play(logger);

    const session = `${id.slice(0, 13)}…`;
    const levels: Record<number, string> = { 20: 'debug', 30: 'info' };
    const written = text()
      .trim()
      .split('\n')
      .map((each) => JSON.parse(each) as Record<string, unknown>)
      .map(({ level, msg, durationMs, ...fields }) => [levels[Number(level)], String(msg).slice(19), fields]);
    expect(written).toEqual([
      ['info', 'session began', { session, client: 'raw 1', protocolVersion: '2025-11-25' }],
      ['debug', 'request answered', { session, method: 'tools/call', name: 'echo' }],
      ['info', 'session restored', { session, client: 'raw 1', protocolVersion: '2025-11-25' }],
      ['debug', 'request answered', { session, method: 'tools/call', name: 'fail', error: expect.anything() }],
      ['info', 'session ended', { session }],
      ['debug', 'request refused', { method: 'POST', status: 404, reason: 'Session not found', session }],
    ]);
  });

  it('a console gets the message first', async () => {
    const { logger, text } = toConsole();
    const id = await play(logger);

    expect(text()).toContain(
      `@mcp-session/http: session began {\n  session: '${id.slice(0, 13)}…',\n  client: 'raw 1',`,
    );
  });

  it.each([
    ['pino', toPino],
    ['console', toConsole],
  ])('%s gets no whole id, no principal, no token, no argument and no result', async (_, make) => {
    const { logger, text } = make();
    const id = await play(logger);

    const written = text();
    expect(written).toContain('session ended');
    for (const secret of [id, id.slice(14), SECRET, ...TOKEN.split('|')]) expect(written).not.toContain(secret);
  });
});

const required = { createServer: () => new McpServer({ name: 'test', version: '1.0.0' }) };

it('without a logger, the console gets errors and warnings only', () => {
  const methods = (['debug', 'info', 'log', 'warn', 'error'] as const).map((level) =>
    vi.spyOn(console, level).mockImplementation(() => undefined),
  );
  onTestFinished(() => methods.forEach((method) => method.mockRestore()));
  const clock = { now: 0 };
  const journal = new Journal({}, () => clock.now);
  const refuse = (): void => journal.refused(new Request('http://localhost'), new HttpError(429, 'Too many'));

  journal.closed();
  journal.storeStatus(false);
  for (let count = 0; count < 3; count++) refuse();
  clock.now = 60_000;
  refuse();

  const refused = { method: 'GET', status: 429, reason: 'Too many' };
  expect(methods.map(({ mock }) => mock.calls)).toEqual([
    [],
    [],
    [],
    [
      ['@mcp-session/http: request refused', refused],
      ['@mcp-session/http: request refused', { ...refused, silenced: 2 }],
    ],
    [],
  ]);
});

it('what a logger throws becomes a process warning', async () => {
  const fail = (): never => {
    throw new Error('disk is full');
  };
  const warned = new Promise((resolve) => process.once('warning', resolve));
  new Journal({ logger: { debug: fail, info: fail, warn: fail, error: fail } }).closed();
  expect(String(await warned)).toContain('The logger of a session handler threw: Error: disk is full');
});

it.each([
  ['of sessions', createSessionHandler],
  [
    'of both eras',
    (options: object) => createDualEraHandler({ createStatelessServer: required.createServer, ...options } as never),
  ],
] as const)('errors of a handler %s go to the logger, unless there is onError', async (_, create) => {
  const store = await createMemoryStore();
  await store.close();
  const initialize = { jsonrpc: '2.0', id: 1, method: 'initialize', params: { protocolVersion: '2025-11-25' } };
  const headers = { 'content-type': 'application/json', accept: 'application/json, text/event-stream' };
  const [logged, reported] = [toPino(), [] as unknown[]];
  for (const onError of [undefined, (error: unknown) => void reported.push(error)]) {
    const handler = create({ ...required, store, logger: logged.logger, ...(onError !== undefined && { onError }) });
    const post = new Request('http://localhost/mcp', { method: 'POST', headers, body: JSON.stringify(initialize) });
    expect((await handler.fetch(post)).status).toBe(503);
  }

  const written = logged.text().trim().split('\n');
  expect(written).toHaveLength(1);
  expect(JSON.parse(written[0] ?? '')).toMatchObject({
    level: 50,
    msg: '@mcp-session/http: STORE_CLOSED (store)',
    err: { code: 'STORE_CLOSED', stack: expect.any(String) },
  });
  expect(reported).toHaveLength(1);
});
