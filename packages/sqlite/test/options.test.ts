import { createSqliteBackend, createSqliteStore, type SqliteDatabase } from '@mcp-session/sqlite';
import { existsSync, mkdirSync, readdirSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { describe, expect, it, onTestFinished } from 'vitest';
import { backendOptions, resolveOptions } from '../src/lib/options.ts';
import { newFile } from './support/files.ts';

describe('options', () => {
  it.each([
    [{ file: 'x.db' }, TypeError, 'Unknown option file; did you mean path?'],
    [{ busyTimeout: 5 }, TypeError, 'Unknown option busyTimeout; did you mean busyTimeoutMs?'],
    ['x.db', TypeError, 'Options are a string, not an object'],
    [null, TypeError, 'Options are null, not an object'],
    [{ path: 7 }, TypeError, 'Option path'],
    [{ path: '' }, RangeError, 'Option path'],
    [{ path: ' sessions.db' }, RangeError, 'Option path'],
    [{ path: 'a\0b' }, RangeError, 'Option path'],
    [{ path: null }, TypeError, 'Option path is not a string'],
    [{ path: undefined }, TypeError, 'Option path is undefined; leave it out to use mcp-sessions.db'],
    [{ database: undefined }, TypeError, 'Option database is undefined; leave it out to use path'],
    [{ tablePrefix: undefined }, TypeError, 'Option tablePrefix is undefined; leave it out to use mcp_'],
    [{ memory: true }, TypeError, 'Unknown option memory; set path to :memory:'],
    [{ readonly: true }, TypeError, 'Unknown option readonly; open the database with better-sqlite3'],
    [{ synchronous: 'off' }, RangeError, 'Option synchronous'],
    [{ synchronous: 1 }, TypeError, 'Option synchronous'],
    [{ busyTimeoutMs: '5' }, TypeError, 'Option busyTimeoutMs'],
    [{ busyTimeoutMs: -1 }, RangeError, 'Option busyTimeoutMs'],
    [{ busyTimeoutMs: 0.5 }, RangeError, 'Option busyTimeoutMs'],
    [{ busyTimeoutMs: 2 ** 31 }, RangeError, 'Option busyTimeoutMs'],
    [{ tablePrefix: '' }, RangeError, 'Option tablePrefix'],
    [{ tablePrefix: '1a' }, RangeError, 'Option tablePrefix'],
    [{ tablePrefix: 'a"; drop table x; --' }, RangeError, 'Option tablePrefix'],
    [{ tablePrefix: 'SQLite_' }, RangeError, 'Option tablePrefix'],
    [{ tablePrefix: null }, TypeError, 'Option tablePrefix'],
    [{ database: {} }, TypeError, 'Option database'],
    [{ database: null }, TypeError, 'Option database'],
    [{ database: 'x.db' }, TypeError, 'Option database'],
    [{ database: {}, path: 'x.db' }, TypeError, 'Option path cannot be combined'],
    [{ database: {}, busyTimeoutMs: 1 }, TypeError, 'Option busyTimeoutMs cannot be combined'],
  ])('%j: refused', async (options, type, text) => {
    for (const create of [createSqliteStore, createSqliteBackend]) {
      const opening = create(options as object);
      await expect(opening).rejects.toBeInstanceOf(type);
      await expect(opening).rejects.toThrow(text);
    }
    expect(existsSync('mcp-sessions.db')).toBe(false);
  });

  it.each([
    ['sqlite:x.db', ', x.db'],
    ['sqlite:./x.db', ', ./x.db'],
    ['sqlite:///folder/x.db', ', /folder/x.db'],
    ['sqlite://x.db', ', x.db'],
    ['file:x.db', ', x.db'],
    ['FILE:///folder/x.db', ', /folder/x.db'],
    ['file:memory.db', ', memory.db'],
    ['file:x.db?mode=memory', ', :memory:'],
    ['file::memory:', ', :memory:'],
    ['sqlite::memory:', ', :memory:'],
    ['memory:', ', :memory:'],
    ['file:a%20b.db', ''],
    ['postgres://app:hunter2@memory/app', ''],
    ['https://hunter2/x.db', ''],
  ])('path %j is an address, and names no file', async (path, meant) => {
    const folder = process.cwd();
    process.chdir(dirname(await newFile()));
    onTestFinished(() => process.chdir(folder));
    await expect(createSqliteStore({ path })).rejects.toThrow(
      new RangeError(`Option path is an address; give the path of a file${meant}`),
    );
    expect(readdirSync('.')).toEqual([]);
  });

  it('path :MEMORY: is no file of that name', async () => {
    await expect(createSqliteStore({ path: ':Memory:' })).rejects.toThrow('write it in lower case, :memory:');
  });

  it.each(['C:\\folder\\x.db', 'c:x.db', './sqlite:x.db', ':memory:', 'memory', 'a b:c.db', '1:x.db'])(
    'path %j is a path',
    (path) => {
      expect(resolveOptions({ path }, backendOptions)).toMatchObject({ path });
    },
  );

  it('a database of another driver is refused', async () => {
    const database = new DatabaseSync(':memory:');
    onTestFinished(() => database.close());
    await expect(createSqliteStore({ database: database as unknown as SqliteDatabase })).rejects.toThrow(
      new TypeError('Option database is not a database of better-sqlite3'),
    );
  });

  it('of a store are refused by the backend alone, and suggested to the store', async () => {
    await expect(createSqliteBackend({ ttlMs: 1 } as object)).rejects.toThrow('Unknown option ttlMs');
    const opening = createSqliteStore({ ttl: 5 } as object);
    await expect(opening).rejects.toBeInstanceOf(TypeError);
    await expect(opening).rejects.toThrow('Unknown option ttl; did you mean ttlMs?');
  });

  it('of the store itself are passed on', async () => {
    const path = join(dirname(await newFile()), 'folder', 'sessions.db');
    mkdirSync(dirname(path));
    let now = 1_000;
    const store = await createSqliteStore({ path, ttlMs: 10, clock: () => now, sweep: false });
    onTestFinished(() => store.close());
    const { id } = await store.create();
    now = 1_009;
    expect(await store.get(id)).toBeDefined();
    now = 5_000;
    expect(await store.get(id)).toBeUndefined();
    expect(existsSync(path)).toBe(true);
  });
});
