import { execFile } from 'node:child_process';
import { createHash } from 'node:crypto';
import { request } from 'node:http';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { examplesFor } from '../src/welcome.ts';
import { clients } from './support/clients.ts';
import { killNine, serve, temporaryFolder } from './support/processes.ts';

/** A server for the tests that leave it running. */
let shared: Awaited<ReturnType<typeof serve>>;

let endShared: (() => Promise<void>) | undefined;

beforeAll(async () => {
  shared = await serve(['--store', 'memory', '--port', '0'], { atEnd: (end) => (endShared = end) });
});

afterAll(() => endShared?.());

describe.each(clients)('with a client of %s', (_, connect) => {
  it('keeps notes for each session', async () => {
    const [alice, bob] = await Promise.all([connect(shared.url), connect(shared.url)]);

    expect(await alice.call('list_notes')).toEqual(['No notes']);
    expect(await alice.call('add_note', { text: 'buy milk' })).toEqual(['1 note']);
    expect(await alice.call('add_note', { text: 'call Ada' })).toEqual(['2 notes']);
    expect(await alice.call('list_notes')).toEqual(['buy milk', 'call Ada']);
    expect(await bob.call('list_notes')).toEqual(['No notes']);
  });

  it('keeps all notes of many calls at once', async () => {
    const client = await connect(shared.url);
    const texts = Array.from({ length: 20 }, (_each, index) => `note ${index}`);
    await Promise.all(texts.map((text) => client.call('add_note', { text })));

    expect((await client.call('list_notes')).toSorted()).toEqual(texts.toSorted());
  });

  it.each([
    ['agrees', { action: 'accept', content: { sure: true } }, 'The notes were removed', 'No notes'],
    ['is not sure', { action: 'accept', content: { sure: false } }, 'The notes were kept', 'buy milk'],
    ['declines', { action: 'decline' }, 'The notes were kept', 'buy milk'],
  ] as const)('asks before it removes notes, and the user %s', async (_answer, answer, said, left) => {
    const client = await connect(shared.url, answer);
    await client.call('add_note', { text: 'buy milk' });

    expect(await client.call('clear_notes')).toEqual([said]);
    expect(await client.call('list_notes')).toEqual([left]);
  });

  it('reports what it has read, and starts over when it is done', async () => {
    const client = await connect(shared.url);
    const progress: number[] = [];
    const read = (): Promise<string[]> =>
      client.call('read_book', { chapters: 3, delayMs: 0 }, { onProgress: (chapter) => progress.push(chapter) });

    expect(await read()).toEqual(['Read chapters 1 to 3']);
    expect(await read()).toEqual(['Read chapters 1 to 3']);
    expect(progress).toEqual([1, 2, 3, 1, 2, 3]);
  });

  it('continues from the bookmark of a call that was cancelled', async () => {
    const client = await connect(shared.url);
    const cancel = new AbortController();
    const onProgress = (chapter: number): void => {
      if (chapter === 4) cancel.abort();
    };
    const reading = client.call('read_book', { chapters: 100, delayMs: 100 }, { onProgress, signal: cancel.signal });
    await expect(reading).rejects.toThrow('abort');

    const [answer = ''] = await client.call('read_book', { chapters: 100, delayMs: 0 });
    expect(Number(/^Read chapters (\d+) to 100$/.exec(answer)?.[1])).toBeGreaterThan(4);
  });

  it('carries on with the session after kill -9', async () => {
    const data = ['--data', join(temporaryFolder(), 'sessions.db')];
    const server = await serve([...data, '--port', '0']);
    const client = await connect(server.url, { action: 'accept', content: { sure: true } });
    const { sessionId } = client;
    await client.call('add_note', { text: 'buy milk' });
    const progress: number[] = [];
    const reading = client.call(
      'read_book',
      { chapters: 100, delayMs: 50 },
      { onProgress: (chapter) => progress.push(chapter) },
    );
    reading.catch(() => undefined);
    await server.until(/Stored chapter 5 /);
    await killNine(server);
    const stored = Number(/Stored chapter (\d+) of 100\n$/.exec(server.output())?.[1]);

    const successor = await serve([...data, '--port', new URL(server.url).port]);

    expect(await client.call('list_notes')).toEqual(['buy milk']);
    await successor.until(lineAbout(sessionId, 'continues, restored from the store in \\d+ ms: test 1.0.0'));
    expect(await client.call('add_note', { text: 'call Ada' })).toEqual(['2 notes']);
    expect(await client.call('clear_notes')).toEqual(['The notes were removed']);
    // The stream comes back by itself: all that was stored is there, once.
    await expect.poll(() => progress.length, { timeout: 20_000 }).toBeGreaterThanOrEqual(stored);
    const chapters = Array.from({ length: 100 }, (_each, index) => index + 1);
    expect(progress).toEqual(chapters.slice(0, progress.length));
    const rest: number[] = [];
    await client.call(
      'read_book',
      { chapters: progress.length + 2, delayMs: 0 },
      { onProgress: (chapter) => rest.push(chapter) },
    );
    expect(rest.slice(-2)).toEqual([progress.length + 1, progress.length + 2]);
    expect(client.sessionId).toBe(sessionId);
  });

  it.each(['SIGTERM', 'SIGINT'] as const)(
    'stops on %s while a call runs, and the session carries on',
    async (signal) => {
      const data = ['--data', join(temporaryFolder(), 'sessions.db')];
      const server = await serve([...data, '--port', '0']);
      const client = await connect(server.url);
      await client.call('add_note', { text: 'buy milk' });
      const reading = client.call('read_book', { chapters: 100, delayMs: 50 });
      reading.catch(() => undefined);
      await server.until(/Stored chapter 2 /);
      server.child.kill(signal);

      expect(await server.ended).toEqual({ exitCode: 0, signal: null });
      await serve([...data, '--port', new URL(server.url).port]);
      expect(await client.call('list_notes')).toEqual(['buy milk']);
      // Nobody is left waiting: the answer to the call was stored before the server went.
      await expect(reading).rejects.toThrow('Server was stopped');
    },
  );
});

/**
 * Begins a session, with headers and paths that `fetch` refuses to send. Resolves with the status.
 */
async function initialize(path: string, headers: Record<string, string> = {}): Promise<number | undefined> {
  const params = { protocolVersion: '2025-11-25', capabilities: {}, clientInfo: { name: 'test', version: '1.0.0' } };
  const standard = { 'content-type': 'application/json', accept: 'application/json, text/event-stream' };
  return new Promise((resolve, reject) => {
    const sent = request(shared.url, { method: 'POST', path, headers: { ...standard, ...headers } }, (response) => {
      response.resume().once('end', () => resolve(response.statusCode));
    });
    sent.once('error', reject).end(JSON.stringify({ jsonrpc: '2.0', id: 1, method: 'initialize', params }));
  });
}

it("lets no other site's page in", async () => {
  const { host } = new URL(shared.url);

  expect(await initialize('/mcp', { host: 'evil.example' })).toBe(403);
  expect(await initialize('/mcp', { origin: 'http://evil.example' })).toBe(403);
  expect(await initialize('/mcp', { origin: 'null' })).toBe(403);
  expect(await initialize('/mcp', { host, origin: `http://${host}` })).toBe(200);
  expect(await initialize('/mcp', { host: host.replace('127.0.0.1', 'localhost') })).toBe(200);
});

it('answers other paths with 404, strange ones too', async () => {
  for (const path of ['//', '/mcp/', '/MCP', '/%', '*', '/healthz/']) expect(await initialize(path)).toBe(404);
  for (const path of ['/', '/healthz', '/readyz']) expect(await initialize(path)).toBe(405);
  expect(await initialize('/mcp?x=1')).toBe(200);
});

it('shows a page to people, which runs no script and requests nothing', async () => {
  const response = await fetch(new URL('/', shared.url));
  const html = await response.text();

  expect(response.status).toBe(200);
  const [, style = ''] = /<style>(.*?)<\/style>/s.exec(html) ?? [];
  expect(style).toContain('prefers-color-scheme: dark');
  const hash = createHash('sha256').update(style).digest('base64');
  expect(response.headers.get('content-security-policy')).toBe(
    `default-src 'none'; style-src 'sha256-${hash}'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'`,
  );
  expect(html).not.toMatch(/<script|<img|style=|(src|href)="(?!data:,")/);
  const shown = html.replaceAll('&quot;', '"').replaceAll('&lt;', '<').replaceAll('&gt;', '>').replaceAll('&amp;', '&');
  for (const command of Object.values(examplesFor(shared.url))) expect(shown).toContain(command);
});

it('is alive and ready', async () => {
  for (const [path, body] of [
    ['/healthz', 'ok\n'],
    ['/readyz', 'ready\n'],
  ] as const) {
    const response = await fetch(new URL(path, shared.url));
    expect([response.status, await response.text()]).toEqual([200, body]);
  }
});

it('prints commands that work when they are pasted into a shell, and says what happens', async () => {
  const { url, until } = shared;
  const [, begin = ''] = await until(/in a terminal +(.+)\n/);
  const [, call = ''] = await until(/and then +(.+)\n/);
  const shell = promisify(execFile);

  const { stdout, stderr } = await shell('sh', ['-c', `${begin}\n${call}\n${call}\n`]);
  const [id = '', ...answers] = stdout.split('\n');
  expect(stderr).toBe('');
  expect(id).toMatch(/^[0-9a-f-]{36}$/);
  expect(answers.join('\n')).toMatch(/"1 note"[^]*"2 notes"/);
  await until(lineAbout(id, 'began: curl 1\\.0\\.0, protocol 2025-11-25'));
  await until(lineAbout(id, 'tools/call add_note: \\d+ ms'));
  const ended = await fetch(url, { method: 'DELETE', headers: { 'mcp-session-id': id } });
  expect(ended.ok).toBe(true);
  await until(lineAbout(id, 'ended'));

  const [, config = ''] = await until(/in an MCP client +(.+)\n/);
  expect(JSON.parse(config)).toEqual({ mcpServers: { notes: { type: 'http', url } } });
});

/** A line of the log about a session, which shows only the first part of its id. */
function lineAbout(id: string | undefined, what: string): RegExp {
  return new RegExp(`\n\\d\\d:\\d\\d:\\d\\d {2}${id?.slice(0, 13)}… {2}${what}\n`);
}
