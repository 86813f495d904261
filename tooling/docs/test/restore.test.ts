import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { SessionStore } from '@mcp-session/core';
import { createSessionHandler, type SessionHandler } from '@mcp-session/http/v2';
import { createSqliteStore } from '@mcp-session/sqlite';
import { McpServer } from '@modelcontextprotocol/server';
import { root } from '@mcp-session-tooling/workspace/packages';
import Database from 'better-sqlite3';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { blocksOf } from '../src/documents.ts';

// What docs/operating/backups.md says of a restore from an older backup, by the commands of that
// page. The store is SQLite; what a client sees is decided above the backends.

const page = 'docs/operating/backups.md';
const [backup, restore] = blocksOf({ path: page, text: readFileSync(join(root, page), 'utf8') })
  .filter(({ language, code }) => language === 'sh' && code.includes('sqlite3'))
  .map(({ code }) => code.trimEnd().split('\n'));

const folder = mkdtempSync(join(tmpdir(), 'mcp-session-restore-'));
const path = join(folder, 'sessions.db');

/**
 * Runs lines of the page in the folder. better-sqlite3 does what the shell of SQLite would, which a
 * machine may not have.
 */
async function runLines(lines: readonly string[] = []): Promise<void> {
  for (const line of lines) {
    const [, file, statement = ''] = /^sqlite3 (\S+) "(.*)"$/.exec(line) ?? [];
    if (file === undefined) {
      execFileSync('sh', ['-ec', line], { cwd: folder });
      continue;
    }
    const database = new Database(join(folder, file));
    const [, target] = /^\.backup (\S+)$/.exec(statement) ?? [];
    const inFolder = statement.replace(/'(\S+)'/, (_, name: string) => `'${join(folder, name)}'`);
    if (target === undefined) database.exec(inFolder);
    else await database.backup(join(folder, target));
    database.close();
  }
}

let store: SessionStore;
let handler: SessionHandler;

async function open(): Promise<void> {
  store = await createSqliteStore({ path });
  handler = createSessionHandler({
    store,
    createServer: ({ session }) => {
      const server = new McpServer({ name: 'visits', version: '1.0.0' }, { capabilities: { logging: {} } });
      server.registerTool('visit', {}, async () => {
        const visits = await session.state.update('visits', (n = 0) => n + 1);
        return { content: [{ type: 'text', text: `visit ${visits}` }] };
      });
      return server;
    },
  });
}

async function send(id: string | undefined, message: object): Promise<Response> {
  const headers = new Headers({ 'content-type': 'application/json', accept: 'application/json, text/event-stream' });
  if (id !== undefined) headers.set('mcp-session-id', id);
  const body = JSON.stringify({ jsonrpc: '2.0', ...message });
  return handler.fetch(new Request('http://localhost/mcp', { method: 'POST', headers, body }));
}

/** Begins a session, and returns its id. */
async function begin(): Promise<string> {
  const params = { protocolVersion: '2025-11-25', capabilities: {}, clientInfo: { name: 'client', version: '1.0.0' } };
  const id = (await send(undefined, { id: 0, method: 'initialize', params })).headers.get('mcp-session-id') ?? '';
  await send(id, { method: 'notifications/initialized' });
  return id;
}

const visit = async (id: string): Promise<Response> =>
  send(id, { id: 1, method: 'tools/call', params: { name: 'visit', arguments: {} } });

/** Reads a standalone stream up to a text, and returns what came. */
async function listen(id: string, cursor: string | undefined, upTo: string): Promise<string> {
  const headers = new Headers({ accept: 'text/event-stream', 'mcp-session-id': id });
  if (cursor !== undefined) headers.set('last-event-id', cursor);
  const abort = new AbortController();
  const response = await handler.fetch(new Request('http://localhost/mcp', { headers, signal: abort.signal }));
  let text = `${response.status}\n`;
  for await (const chunk of (response.body ?? new ReadableStream()).pipeThrough(new TextDecoderStream())) {
    text += chunk;
    if (text.includes(upTo)) break;
  }
  abort.abort();
  return text;
}

const announce = async (data: string): Promise<unknown> =>
  handler.broadcast({ method: 'notifications/message', params: { level: 'info', data } });
const lastIdIn = (text: string): string | undefined => [...text.matchAll(/^id: ?(.+)$/gm)].at(-1)?.[1];

async function stop(): Promise<void> {
  await handler.close();
  await store.close();
}

let before = '';
let after = '';
let ended = '';
let cursor: string | undefined;
let cursorOfCall: string | undefined;
let forgotten: unknown;

beforeAll(async () => {
  await open();
  before = await begin();
  await visit(before);
  ended = await begin();
  for (const [index, line] of (backup ?? []).entries()) await runLines([line.replace('backup.db', `${index}.db`)]);
  await runLines(['cp 1.db backup.db']);
  cursorOfCall = lastIdIn(await (await visit(before)).text());
  await handler.fetch(new Request('http://localhost/mcp', { method: 'DELETE', headers: { 'mcp-session-id': ended } }));
  await announce('seen');
  cursor = lastIdIn(await listen(before, undefined, 'seen'));
  after = await begin();
  // Every server should be stopped. This one was forgotten.
  const other = await createSqliteStore({ path });
  await stop();
  await runLines(restore);
  forgotten = await other.create().catch((error: unknown) => error);
  await other.close();
  await open();
});

afterAll(async () => {
  await stop();
  rmSync(folder, { recursive: true, force: true });
});

it('a server that has the file open while it is restored writes nothing', () => {
  expect(forgotten).toMatchObject({ code: 'STORE_UNAVAILABLE' });
});

describe('after a restore from an older backup', () => {
  it('a session begun after the backup is unknown: 404', async () => {
    expect((await visit(after)).status).toBe(404);
  });

  it('a cursor from after the backup was never issued: 400, and the session goes on', async () => {
    expect([cursor, cursorOfCall]).not.toContain(undefined);
    expect(await listen(before, cursor, '}')).toContain('400');
    expect(await listen(before, cursorOfCall, '}')).toContain('400');
  });

  it('a session that ended after the backup is live again', async () => {
    expect((await visit(ended)).status).toBe(200);
  });

  it('a session from before the backup has the state of the backup', async () => {
    expect(await (await visit(before)).text()).toContain('visit 2');
  });

  it('once a new event has the number of a cursor, its client misses the events up to there', async () => {
    for (const data of ['a', 'b', 'c', 'd']) await announce(data);

    const seen = await listen(before, cursor, '"d"');

    expect(seen).toMatch(/^200/);
    expect(seen).not.toContain('"a"');
  });
});

it.each(backup?.map((line, index) => [line, `${index}.db`]) ?? [])(
  'a copy by %s, made while the store was in use, is whole',
  (_, file) => {
    const copy = new Database(join(folder, file), { readonly: true });
    expect(copy.pragma('integrity_check', { simple: true })).toBe('ok');
    expect(copy.prepare('SELECT count(*) AS n FROM mcp_state').get()).toEqual({ n: 1 });
    copy.close();
  },
);
