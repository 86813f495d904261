import { Child } from '@mcp-session-tooling/vitest/child';
import { chmodSync, existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import type { SessionBackend } from '@mcp-session/core/backend';
import { createSqliteBackend, createSqliteStore } from '@mcp-session/sqlite';
import Database from 'better-sqlite3';
import { describe, expect, it, onTestFinished } from 'vitest';
import { newFile } from './support/files.ts';

function openDatabase(path: string, options: Database.Options = {}): Database.Database {
  const database = new Database(path, options);
  onTestFinished(() => void database.close());
  return database;
}

/** A file with one live session that has one event. */
async function newStore(): Promise<{ readonly path: string; readonly backend: SessionBackend }> {
  const path = await newFile();
  const backend = await createSqliteBackend({ path });
  onTestFinished(() => backend.close());
  await backend.migrate();
  await backend.createSession({ id: 'a', kind: 'session', principal: null, profile: '', expiresAt: 1_000 }, 1);
  await append(backend);
  return { path, backend };
}

function append(backend: SessionBackend, { bytes = 10, token = 'first' } = {}) {
  const events = [{ streamId: 's', message: 'x'.repeat(bytes), bytes }];
  return backend.appendEvents([{ sessionId: 'a', token, events, expiresAt: undefined }], 1);
}

describe('a path that cannot be used', () => {
  it('in a folder that does not exist', async () => {
    const path = join(dirname(await newFile()), 'nowhere', 'sessions.db');
    await expect(createSqliteStore({ path })).rejects.toMatchObject({
      code: 'STORE_UNAVAILABLE',
      message: 'Session store cannot be opened: the folder of its file does not exist, create it first',
      store: `SQLite database ${JSON.stringify(path)}`,
      scope: 'store',
    });
    expect(existsSync(dirname(path))).toBe(false);
  });

  it('of a folder', async () => {
    const path = dirname(await newFile());
    await expect(createSqliteStore({ path })).rejects.toMatchObject({
      code: 'STORE_UNAVAILABLE',
      message: expect.stringContaining('its path is that of a folder, name a file in it'),
    });
  });

  it.each([
    ['a few bytes', 'not a database'],
    ['a page of text', 'All work and no play. '.repeat(400)],
  ])('of %s that are no database: refused, and left as they are', async (_, text) => {
    const path = await newFile();
    writeFileSync(path, text);
    await expect(createSqliteStore({ path })).rejects.toMatchObject({
      code: 'STORE_CORRUPT',
      retryable: false,
      message: expect.stringContaining('is not an SQLite database'),
      cause: expect.objectContaining({ code: 'SQLITE_NOTADB' }),
    });
    expect(readFileSync(path, 'utf8')).toBe(text);
    expect(readdirSync(dirname(path))).toEqual(['sessions.db']);
  });

  it('of a file, or in a folder, that the process may not read or write', { timeout: 60_000 }, async () => {
    const { path, backend } = await newStore();
    await backend.close();
    const folder = dirname(path);
    const outcome = async (file: string) => {
      const child = new Child(new URL('support/as-nobody.ts', import.meta.url), [file]);
      const line = await child.line();
      await child.succeed();
      return line;
    };
    chmodSync(folder, 0o555);
    expect(await outcome(join(folder, 'new.db'))).toMatch(
      /^STORE_DENIED .*may not create files in the folder of its file$/,
    );
    chmodSync(path, 0o000);
    expect(await outcome(path)).toMatch(/^STORE_DENIED .*may not read its file; give its user the right/);
    chmodSync(path, 0o444);
    expect(await outcome(path)).toMatch(/^STORE_READ_ONLY .*may not write its file; give its user the right/);
    // WAL needs two files beside the database.
    chmodSync(path, 0o666);
    expect(await outcome(path)).toMatch(/^STORE_READ_ONLY .*write access to its file and to the folder$/);
    chmodSync(folder, 0o777);
    expect(await outcome(path)).toBe('opened');
    expect(readdirSync(folder)).toEqual(['sessions.db']);
  });
});

it('a schema of a newer version is refused, and unchanged', async () => {
  const { path, backend } = await newStore();
  await backend.close();
  const database = new Database(path);
  database.prepare('insert into mcp_migrations values (?, ?)').run('0099-future', '2030-01-01T00:00:00.000Z');
  database.close();
  const before = readFileSync(path);

  const tooNew = { code: 'STORE_SCHEMA_TOO_NEW', message: expect.stringContaining('"0099-future"') };
  await expect(createSqliteStore({ path })).rejects.toMatchObject(tooNew);
  expect(readFileSync(path).equals(before)).toBe(true);
  await expect(createSqliteStore({ database: openDatabase(path) })).rejects.toMatchObject(tooNew);
});

it('a read-only database can be read, and refuses writes', async () => {
  const { path } = await newStore();
  const backend = await createSqliteBackend({ database: openDatabase(path, { readonly: true }) });
  await backend.migrate();
  expect((await backend.readSession('a', 1))?.lastSeq).toBe(1);
  await expect(append(backend, { token: 'second' })).rejects.toMatchObject({
    code: 'STORE_READ_ONLY',
    retryable: false,
    outcomeUnknown: false,
    message: expect.stringContaining('needs write access to its file and to the folder'),
  });
  expect((await backend.readSession('a', 1))?.lastSeq).toBe(1);

  const empty = await newFile();
  new Database(empty).exec('create table other (a)').close();
  const unmade = createSqliteStore({ database: openDatabase(empty, { readonly: true }) });
  await expect(unmade).rejects.toMatchObject({ code: 'STORE_READ_ONLY' });
});

it('a damaged file is reported as damaged', async () => {
  const { path, backend } = await newStore();
  for (let n = 0; n < 50; n++) await append(backend, { token: `token-${n}`, bytes: 2_000 });
  await backend.close();
  const bytes = readFileSync(path);
  bytes.fill(0xa5, 4_096);
  writeFileSync(path, bytes);
  await expect(createSqliteStore({ path })).rejects.toMatchObject({
    code: 'STORE_CORRUPT',
    message: expect.stringContaining('is damaged'),
  });
  expect(readFileSync(path).equals(bytes)).toBe(true);
});

it(
  'a lock that another process holds past the timeout is STORE_BUSY, and nothing is written',
  { timeout: 60_000 },
  async () => {
    const { path } = await newStore();
    const backend = await createSqliteBackend({ path, busyTimeoutMs: 50 });
    onTestFinished(() => backend.close());
    const holder = new Child(new URL('support/hold-lock.ts', import.meta.url), [path]);
    expect(await holder.line()).toBe('locked');

    await expect(append(backend, { token: 'second' })).rejects.toMatchObject({
      code: 'STORE_BUSY',
      retryable: true,
      outcomeUnknown: false,
      message: expect.stringContaining('raise the option busyTimeoutMs'),
    });
    // Readers do not wait for a writer, and opening what needs no migration only reads.
    expect((await backend.readSession('a', 1))?.lastSeq).toBe(1);
    await (await createSqliteStore({ path, busyTimeoutMs: 50, sweep: false })).close();

    await holder.succeed();
    expect(await append(backend, { token: 'second' })).toMatchObject([{ firstSeq: 2 }]);
  },
);

it('a read succeeds although the renewal with it cannot be written', { timeout: 60_000 }, async () => {
  const path = await newFile();
  let now = 1;
  const store = await createSqliteStore({ path, busyTimeoutMs: 50, sweep: false, clock: () => now });
  onTestFinished(() => store.close());
  const session = await store.create();
  await session.state.set('a', 1);
  const holder = new Child(new URL('support/hold-lock.ts', import.meta.url), [path]);
  expect(await holder.line()).toBe('locked');

  now += 600_000;
  expect(await session.state.get('a')).toBe(1);
  expect((await store.get(session.id))?.id).toBe(session.id);
  await expect(session.touch()).rejects.toMatchObject({ code: 'STORE_BUSY' });

  await holder.succeed();
  await session.state.get('a');
  expect(session.lastActiveAt).toBe(now);
});

describe('no room', () => {
  it('in the database is STORE_FULL; earlier writes stay, and writes succeed again once there is room', async () => {
    const { path, backend: reader } = await newStore();
    const database = openDatabase(path);
    const pages = Number(database.pragma('page_count', { simple: true }));
    database.pragma(`max_page_count = ${pages + 10}`);
    const backend = await createSqliteBackend({ database });
    await append(backend, { token: 'small', bytes: 1_000 });

    const large = { token: 'large', bytes: 100_000 };
    for (let attempt = 0; attempt < 2; attempt++) {
      await expect(append(backend, large)).rejects.toMatchObject({
        code: 'STORE_FULL',
        retryable: false,
        outcomeUnknown: false,
        message: expect.stringContaining('nothing of this call was written'),
      });
    }
    expect((await reader.readSession('a', 1))?.lastSeq).toBe(2);
    expect(database.inTransaction).toBe(false);
    expect(database.pragma('integrity_check', { simple: true })).toBe('ok');

    database.pragma(`max_page_count = ${pages + 1_000}`);
    expect(await append(backend, large)).toMatchObject([{ firstSeq: 3 }]);
    expect((await reader.readSession('a', 1))?.lastSeq).toBe(3);
  });

  it(
    'for a file to grow, as the operating system says it: nothing acknowledged is lost, no damage',
    { timeout: 60_000 },
    async () => {
      const { path, backend } = await newStore();
      await backend.close();
      // In blocks of 512 bytes: room for some twenty appends in the WAL.
      const child = new Child(
        new URL('support/fill-up.ts', import.meta.url),
        [path],
        ['sh', '-c', 'ulimit -f 400; exec "$0" "$@"', process.execPath],
      );
      const { acknowledged, ...failure } = JSON.parse((await child.line()) ?? '') as Record<string, unknown>;
      await child.succeed();
      expect(failure).toMatchObject({ code: 'STORE_FAILED', retryable: true, outcomeUnknown: true });
      expect(acknowledged).toBeGreaterThan(3);

      const after = await createSqliteBackend({ path });
      onTestFinished(() => after.close());
      const lastSeq = (await after.readSession('a', 1))?.lastSeq ?? 0;
      // The event of 'first', the acknowledged ones, and perhaps the one whose outcome is unknown.
      expect(lastSeq - Number(acknowledged)).toBeOneOf([1, 2]);
      expect(openDatabase(path).pragma('integrity_check', { simple: true })).toBe('ok');
    },
  );
});
