import { Client, StreamableHTTPClientTransport } from '@modelcontextprotocol/client';
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { expect, it, onTestFinished, vi } from 'vitest';
import * as z from 'zod';

const SERVER = fileURLToPath(new URL('../src/server.ts', import.meta.url));
const REVISION = '2026-07-28';

interface Running {
  readonly url: URL;
  /** What its processes print. */
  readonly lines: readonly string[];
  /** Kills the process, and starts another one on the same port and file. */
  restart(): Promise<void>;
}

/**
 * The server of the example, in a process of its own.
 *
 * @param pageMs How long the first process takes for a page of a report. Its successors take no
 * time.
 */
async function start(pageMs = 0): Promise<Running> {
  const folder = await mkdtemp(join(tmpdir(), 'mcp-session-both-eras-'));
  let child: ChildProcess | undefined;
  const lines: string[] = [];
  const run = async (port: string, ms: number): Promise<URL> => {
    const args = [SERVER, port, join(folder, 'sessions.db'), String(ms)];
    const started = spawn(process.execPath, ['--conditions=@mcp-session/source', '--no-warnings', ...args], {
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    child = started;
    return new Promise((resolve) => {
      createInterface({ input: started.stdout }).on('line', (line) => {
        lines.push(line);
        const [, found] = /listens on (\S+)$/.exec(line) ?? [];
        if (found !== undefined) resolve(new URL(found));
      });
    });
  };
  const kill = async (): Promise<void> => {
    const gone = child && once(child, 'exit');
    child?.kill('SIGKILL');
    await gone;
  };
  onTestFinished(async () => {
    await kill();
    await rm(folder, { recursive: true, force: true });
  });
  const url = await run('0', pageMs);
  return {
    url,
    lines,
    restart: async () => {
      await kill();
      await run(url.port, 0);
    },
  };
}

async function connect(url: URL, mode: 'legacy' | { pin: string }): Promise<Client> {
  const client = new Client({ name: 'client', version: '1.0.0' }, { versionNegotiation: { mode } });
  await client.connect(new StreamableHTTPClientTransport(url, { requestInit: { headers: { 'x-user': 'ada' } } }));
  onTestFinished(() => client.close());
  return client;
}

async function call(client: Client, name: string, args: Record<string, unknown> = {}): Promise<string> {
  const { content } = await client.callTool({ name, arguments: args });
  return (content as { text: string }[])[0]?.text ?? '';
}

/** Calls a tool and returns what it answers as JSON. */
async function ask(client: Client, name: string, args?: Record<string, unknown>): Promise<Record<string, unknown>> {
  return JSON.parse(await call(client, name, args)) as Record<string, unknown>;
}

it('a cart and a user outlive the server in both eras', { timeout: 120_000 }, async () => {
  const { url, restart } = await start();
  const old = await connect(url, 'legacy');
  const modern = await connect(url, { pin: REVISION });
  const own = await ask(old, 'add', { item: 'tea' });
  const other = await ask(modern, 'add', { item: 'salt' });
  expect(await ask(old, 'visit')).toEqual({ principal: 'ada', visits: 1 });
  await restart();

  expect(await ask(old, 'add', { item: 'milk' })).toEqual({ cart: own['cart'], items: ['tea', 'milk'] });
  const { cart } = other;
  expect(await ask(modern, 'add', { item: 'oil', cart })).toEqual({ cart, items: ['salt', 'oil'] });
  expect(await ask(modern, 'visit')).toEqual({ principal: 'ada', visits: 2 });
  expect(await call(modern, 'add', { item: 'x', cart: 'cart_unknown' })).toBe('The cart is unknown; create a new one');
});

it(
  'a report is finished although its server is killed: as a task, and by a second call',
  { timeout: 120_000 },
  async () => {
    const { url, lines, restart } = await start(1_000);
    const begin = await fetch(url, {
      method: 'POST',
      headers: {
        'content-type': 'application/json',
        accept: 'application/json, text/event-stream',
        'x-user': 'ada',
        'mcp-protocol-version': REVISION,
        'mcp-method': 'tools/call',
        'mcp-name': 'report',
      },
      body: JSON.stringify(request('tools/call', { name: 'report', arguments: {} })),
    });
    const { result } = z
      .object({ result: z.object({ resultType: z.literal('task'), taskId: z.string() }) })
      .parse(await answerOf(begin));
    const { taskId } = result;

    const old = await connect(url, 'legacy');
    // Its answer is lost with the server.
    void call(old, 'report').catch(() => undefined);
    const firstPages = () => lines.filter((line) => line === 'Page 1 of 10');
    await vi.waitFor(() => expect(firstPages()).toHaveLength(2), { timeout: 30_000 });
    await restart();

    const get = async () => {
      const response = await fetch(url, {
        method: 'POST',
        headers: {
          'content-type': 'application/json',
          accept: 'application/json, text/event-stream',
          'x-user': 'ada',
          'mcp-protocol-version': REVISION,
          'mcp-method': 'tasks/get',
          'mcp-name': taskId,
        },
        body: JSON.stringify(request('tasks/get', { taskId })),
      });
      return answerOf(response);
    };
    await vi.waitFor(async () => expect(await get()).toMatchObject({ result: { status: 'completed' } }), {
      timeout: 60_000,
      interval: 200,
    });
    // A process that stands still for longer than the lease makes one more attempt.
    expect(await get()).toMatchObject({
      result: { result: { content: [{ text: '10 pages' }, { text: expect.stringMatching(/^attempt [2-9]$/) }] } },
    });

    expect(await call(old, 'report')).toBe('10 pages');
    // Each continues where it was.
    expect(firstPages()).toHaveLength(2);
  },
);

function request(method: string, params: object): object {
  const _meta = {
    'io.modelcontextprotocol/protocolVersion': REVISION,
    'io.modelcontextprotocol/clientInfo': { name: 'raw', version: '1' },
    'io.modelcontextprotocol/clientCapabilities': { extensions: { 'io.modelcontextprotocol/tasks': {} } },
  };
  return { jsonrpc: '2.0', id: 1, method, params: { ...params, _meta } };
}

async function answerOf(response: Response): Promise<unknown> {
  const body = await response.text();
  return JSON.parse(body.startsWith('{') ? body : (/^data: (\{.*)$/m.exec(body)?.[1] ?? '{}'));
}
