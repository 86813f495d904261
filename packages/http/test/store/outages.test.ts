import { createTestSchema, openOwnServer, type OwnServer } from '@mcp-session-tooling/databases';
import type { SessionStore } from '@mcp-session/core';
import { createPostgresStore } from '@mcp-session/postgres';
import { createSqliteStore } from '@mcp-session/sqlite';
import Database from 'better-sqlite3';
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest';
import type { StoreStatus } from '../../src/v1.ts';
import { eventually, gate, start } from '../support/harness.ts';
import type { Line, ServerPort } from '../support/line.ts';
import { lines } from '../support/lines.ts';
import { newFile } from '../support/nodes.ts';
import { initialize } from '../support/raw.ts';

/** A store whose database can be made to fail in earnest. */
interface Breakable {
  readonly store: SessionStore;
  breakDown(): Promise<void>;
  mend(): Promise<void>;
}

let server: OwnServer;

beforeAll(async () => {
  server = await openOwnServer('postgres');
}, 120_000);

afterAll(() => server.close(), 60_000);

/** The server is stopped, and started again. */
async function postgres(): Promise<Breakable> {
  await server.start();
  const { schema } = await createTestSchema(server.url);
  const store = await createPostgresStore({ url: server.url, schema, statementTimeoutMs: 2_000 });
  return { store, breakDown: () => server.stop(), mend: () => server.start() };
}

/** Another process keeps the file locked: it can be read, and not written. */
async function sqlite(): Promise<Breakable> {
  const path = await newFile();
  const store = await createSqliteStore({ path, busyTimeoutMs: 50 });
  const other = new Database(path);
  onTestFinished(() => void other.close());
  return {
    store,
    breakDown: async () => void other.exec('begin immediate'),
    mend: async () => void other.exec('commit'),
  };
}

async function startBreakable(line: Line, open: () => Promise<Breakable>, onStoreError: 'fail' | 'degrade') {
  const { store, ...database } = await open();
  const statuses: boolean[] = [];
  const servers: ServerPort[] = [];
  const go = gate();
  const harness = await start(line, {
    store,
    serve: () => ({
      tools: {
        echo: ({ text }) => String(text),
        ask: async (_, { elicit }) => JSON.stringify(await elicit('name?')),
        count: async (_, { progress }) => {
          for (let n = 1; n <= 10; n++) await progress(n);
          return 'counted';
        },
        wait: async () => {
          await go.passed;
          return 'waited';
        },
      },
      onCreated: (created) => void servers.push(created),
    }),
    onStoreError,
    onStoreStatus: ({ failing }: StoreStatus) => void statuses.push(failing),
  });
  const say = (data: unknown) => servers.at(-1)?.notify('notifications/message', { level: 'info', data });
  return { ...harness, ...database, statuses, say, go: go.open };
}

describe.each(lines)('a database that is down for a while, SDK $name', { timeout: 60_000 }, (line) => {
  it.each([
    ['postgres', postgres],
    ['sqlite', sqlite],
  ])('degrade, %s: a client notices nothing', async (_, open) => {
    const { url, raw, breakDown, mend, statuses, errors, say, go } = await startBreakable(line, open, 'degrade');
    const client = await line.connect(url, { onElicit: () => ({ name: 'Ada' }) });
    const told = (): unknown[] => client.received.map(({ params }) => params['data']);
    const use = async (): Promise<void> => {
      expect(await client.call('echo', { text: 'x' })).toBe('x');
      expect(await client.call('ask')).toBe('{"name":"Ada"}');
      const seen: number[] = [];
      expect(await client.call('count', {}, { onProgress: (n) => seen.push(n) })).toBe('counted');
      expect(seen).toEqual(Array.from({ length: 10 }, (__, i) => i + 1));
    };
    await use();
    const waiting = client.call('wait');
    await eventually(async () => {
      await say('listening');
      return told().includes('listening');
    });
    await say('before');
    await eventually(() => told().includes('before'));

    await breakDown();
    for (let round = 0; round < 3; round++) await use();
    await say('without');
    go();
    expect(await waiting).toBe('waited');
    expect((await raw().post(initialize())).status).toBe(503);
    expect(statuses).toEqual([true]);

    await mend();
    await eventually(async () => {
      await use();
      return statuses.at(-1) === false;
    });
    await say('after');
    await eventually(() => told().includes('after'));
    expect(told().filter((data) => data !== 'listening')).toEqual(['before', 'without', 'after']);
    expect(statuses).toEqual([true, false]);
    expect(client.errors).toEqual([]);
    expect(errors).toHaveLength(1);
    const { sse } = await raw(await begun(raw())).callTool('echo', { text: 'new' });
    expect((await sse.rest()).at(-1)).toMatchObject({ id: expect.any(String), data: expect.stringContaining('new') });
    await client.close();
  });

  it.each([
    ['postgres', postgres],
    ['sqlite', sqlite],
  ])('fail, %s: 503 until it works, and no longer', async (_, open) => {
    const { raw, breakDown, mend, statuses } = await startBreakable(line, open, 'fail');
    const client = raw();
    await client.begin();
    await breakDown();
    for (let round = 0; round < 3; round++) expect((await client.callTool('echo', { text: 'x' })).status).toBe(503);
    await mend();
    const { status, sse } = await client.callTool('echo', { text: 'x' });
    expect(status).toBe(200);
    expect((await sse.rest()).at(-1)?.id).toBeDefined();
    expect(statuses).toEqual([true, false]);
  });
});

async function begun(client: { begin(): Promise<string>; readonly headers: Record<string, string> }) {
  await client.begin();
  return client.headers;
}
