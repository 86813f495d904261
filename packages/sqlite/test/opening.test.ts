import { Child } from '@mcp-session-tooling/vitest/child';
import { readdirSync } from 'node:fs';
import { dirname } from 'node:path';
import { createSqliteBackend, createSqliteStore } from '@mcp-session/sqlite';
import Database from 'better-sqlite3';
import { describe, expect, it, onTestFinished } from 'vitest';
import { checkRuntime, connect } from '../src/lib/client.ts';
import { backendOptions, resolveOptions } from '../src/lib/options.ts';
import { newFile } from './support/files.ts';

function openDatabase(path: string, options: Database.Options = {}): Database.Database {
  const database = new Database(path, options);
  onTestFinished(() => void database.close());
  return database;
}

describe('opening a file', () => {
  it('creates it in WAL mode, flushes each write by default, and checks foreign keys', async () => {
    const path = await newFile();
    for (const [synchronous, level] of [
      ['full', 2],
      ['normal', 1],
    ] as const) {
      const connection = await connect(resolveOptions({ path, synchronous, busyTimeoutMs: 1_234 }, backendOptions));
      const pragma = (name: string) => connection.handle.pragma(name, { simple: true });
      expect([pragma('journal_mode'), pragma('synchronous'), pragma('foreign_keys'), pragma('busy_timeout')]).toEqual([
        'wal',
        level,
        1,
        1_234,
      ]);
      connection.handle.close();
    }
    expect(resolveOptions({}, backendOptions)).toEqual({
      path: 'mcp-sessions.db',
      synchronous: 'full',
      busyTimeoutMs: 5_000,
      tablePrefix: 'mcp_',
    });
  });

  it('keeps the data of earlier runs, and runs no migration twice', async () => {
    const path = await newFile();
    const first = await createSqliteStore({ path });
    const { id } = await first.create({ principal: 'me' });
    await first.close();
    expect(readdirSync(dirname(path))).toEqual(['sessions.db']);

    const statements: string[] = [];
    const database = openDatabase(path, { verbose: (text) => statements.push(String(text)) });
    const second = await createSqliteStore({ database, sweep: false });
    expect(statements.filter((text) => !/^(select|pragma|begin|commit)\b/.test(text))).toEqual([]);
    expect((await second.get(id, { principal: 'me' }))?.id).toBe(id);
    await second.close();
  });

  it('works from ten processes that open a new file at once', { timeout: 60_000 }, async () => {
    const path = await newFile();
    const startAt = String(Date.now() + 2_000);
    const children = Array.from(
      { length: 10 },
      () => new Child(new URL('support/open-and-append.ts', import.meta.url), [path, startAt]),
    );
    const lines = await Promise.all(children.map(async (child) => await child.lines()));
    await Promise.all(children.map(async (child) => await child.succeed()));
    expect(lines.map(([line]) => line?.startsWith('1.'))).toEqual(children.map(() => true));

    const store = await createSqliteStore({ path });
    onTestFinished(() => store.close());
    expect(await store.count()).toBe(10);
  });

  it('finishes the work of a process that ended between a migration and its record', async () => {
    const path = await newFile();
    await (await createSqliteStore({ path })).close();
    const database = openDatabase(path);
    const names = () => database.prepare('select name from mcp_migrations').pluck().all();
    const migrations = names();
    expect(migrations.length).toBeGreaterThan(0);
    database.exec('delete from mcp_migrations');
    const store = await createSqliteStore({ path });
    expect(names()).toEqual(migrations);
    await store.close();
  });

  it('waits for the lock of the switch to WAL, up to the busy timeout', async () => {
    const path = await newFile();
    const other = openDatabase(path);
    // In the rollback journal a reader holds off the switch, and SQLite does not wait for it by
    // itself.
    other.exec('create table anything (a); begin; select * from anything');
    const start = performance.now();
    const opening = createSqliteBackend({ path, busyTimeoutMs: 50 });
    await expect(opening).rejects.toMatchObject({ code: 'STORE_BUSY', retryable: true });
    expect(performance.now() - start).toBeGreaterThan(49);
    other.exec('commit');
    await (await createSqliteBackend({ path })).close();
    expect(openDatabase(path).pragma('journal_mode', { simple: true })).toBe('wal');
  });
});

describe('a table prefix', () => {
  it('lets stores share a file without seeing each other', async () => {
    const path = await newFile();
    const [one, two] = await Promise.all([
      createSqliteStore({ path, tablePrefix: 'one_' }),
      createSqliteStore({ path, tablePrefix: 'Two_2' }),
    ]);
    const session = await one.create();
    await session.state.set('key', 1);
    await session.events.append('stream', { n: 1 });
    expect(await two.get(session.id)).toBeUndefined();
    expect(await two.count()).toBe(0);
    await one.close();
    await two.close();

    const names = openDatabase(path)
      .prepare(`select name from sqlite_schema where name not like 'sqlite_%'`)
      .pluck()
      .all();
    expect(names.filter((name) => !/^(one_|Two_2)/.test(String(name)))).toEqual([]);
  });
});

describe('a borrowed database', () => {
  it('keeps its settings, and stays open', async () => {
    const database = openDatabase(':memory:');
    database.defaultSafeIntegers(true);
    database.pragma('synchronous = off');
    const backend = await createSqliteBackend({ database });
    await backend.migrate();
    expect(backend.capabilities).toMatchObject({ shared: false, durable: false });
    await backend.createSession({ id: 'a', kind: 'session', principal: null, profile: '', expiresAt: 10 }, 1);
    const events = [{ streamId: 's', message: '1', bytes: 1 }];
    const [appended] = await backend.appendEvents([{ sessionId: 'a', token: 't', events, expiresAt: 20 }], 2);
    expect(appended).toEqual({ firstSeq: 1, retainedEvents: 1, retainedBytes: 1 });
    expect(await backend.countSessions({ kind: 'session', principal: undefined }, 3)).toBe(1);
    await backend.close();
    await backend.close();
    expect([database.open, database.pragma('synchronous', { simple: true })]).toEqual([true, 0n]);
  });

  it('can serve two stores: each learns that the other has written', async () => {
    const database = openDatabase(await newFile());
    const [one, two] = [await createSqliteBackend({ database }), await createSqliteBackend({ database })];
    await one.migrate();
    const before = two.readChangeMarker?.();
    expect(two.readChangeMarker?.()).toBe(before);
    await one.createSession({ id: 'a', kind: 'session', principal: null, profile: '', expiresAt: 10 }, 1);
    expect(two.readChangeMarker?.()).not.toBe(before);
  });

  it('refuses to write into a transaction of its owner, or while the owner iterates', async () => {
    const database = openDatabase(await newFile());
    const backend = await createSqliteBackend({ database });
    await backend.migrate();
    expect(backend.capabilities).toMatchObject({ shared: true, durable: true });
    const session = { id: 'a', kind: 'session', principal: null, profile: '', expiresAt: 10 };

    database.exec('begin');
    await expect(createSqliteStore({ database, tablePrefix: 'other_' })).rejects.toMatchObject({ code: 'STORE_BUSY' });
    await expect(backend.createSession(session, 1)).rejects.toMatchObject({
      code: 'STORE_BUSY',
      retryable: true,
      message: expect.stringContaining('inside a transaction of the owner of its handle'),
    });
    database.exec('rollback');

    const rows = database.prepare('select 1 union select 2').iterate();
    rows.next();
    await expect(backend.createSession(session, 1)).rejects.toMatchObject({ code: 'STORE_BUSY', retryable: true });
    rows.return?.();
    expect(await backend.createSession(session, 1)).toBe(true);
  });

  it('whose owner has closed it is a closed store', async () => {
    const database = openDatabase(':memory:');
    const backend = await createSqliteBackend({ database });
    await backend.migrate();
    database.close();
    await expect(backend.readSession('a', 1)).rejects.toMatchObject({ code: 'STORE_CLOSED' });
    await expect(backend.endSession('a', 1, 1)).rejects.toMatchObject({ code: 'STORE_CLOSED' });
    await expect(createSqliteBackend({ database })).rejects.toMatchObject({ code: 'STORE_CLOSED' });
  });
});

it('refuses a version of Node that the driver would crash, and Cloudflare Workers', () => {
  expect(() => checkRuntime({ node: '22.13.1', napi: '9' })).toThrow(
    /^better-sqlite3 crashes on Node 22\.13\.1; use Node/,
  );
  expect(() => checkRuntime({ node: '22.14.0', napi: '10' })).not.toThrow();
  expect(() => checkRuntime({}, 'Cloudflare-Workers')).toThrow('does not run on Cloudflare Workers; use PostgreSQL');
});
