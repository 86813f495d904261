import { Child } from '@mcp-session-tooling/vitest/child';
import { readdirSync, renameSync, rmSync, statSync, symlinkSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import type { SessionBackend } from '@mcp-session/core/backend';
import { createSqliteBackend, createSqliteStore } from '@mcp-session/sqlite';
import Database from 'better-sqlite3';
import { describe, expect, it, onTestFinished } from 'vitest';
import { newFile } from './support/files.ts';

const MEBIBYTE = 1_048_576;

/** A backend on a file with one live session. */
async function newBackend(path: string): Promise<SessionBackend> {
  const backend = await createSqliteBackend({ path, synchronous: 'normal' });
  onTestFinished(() => backend.close());
  await backend.migrate();
  await backend.createSession({ id: 'a', kind: 'session', principal: null, profile: '', expiresAt: 1e12 }, 1);
  return backend;
}

let appends = 0;

function append(backend: SessionBackend, bytes = 10) {
  const events = [{ streamId: 's', message: 'x'.repeat(bytes), bytes }];
  return backend.appendEvents([{ sessionId: 'a', token: `token-${++appends}`, events, expiresAt: undefined }], 1);
}

function modes(path: string): Record<string, string> {
  const folder = dirname(path);
  return Object.fromEntries(
    readdirSync(folder).map((name) => [name, (statSync(join(folder, name)).mode & 0o777).toString(8)]),
  );
}

describe('the mode of the file', () => {
  it.each([0o000, 0o022, 0o027, 0o077])(
    'is 0600 under umask %o, and so is that of the files beside it',
    async (mask) => {
      const path = await newFile();
      const before = process.umask(mask);
      onTestFinished(() => void process.umask(before));
      const store = await createSqliteStore({ path });
      onTestFinished(() => store.close());
      await store.create();
      expect(modes(path)).toEqual({ 'sessions.db': '600', 'sessions.db-shm': '600', 'sessions.db-wal': '600' });
    },
  );

  it('is unchanged if the file exists, and the files beside it get the same mode', async () => {
    const path = await newFile();
    writeFileSync(path, '', { mode: 0o640 });
    await newBackend(path);
    expect(modes(path)).toEqual({ 'sessions.db': '640', 'sessions.db-shm': '640', 'sessions.db-wal': '640' });
  });

  it('is also 0600 if the path is a link to a missing file', async () => {
    const path = await newFile();
    const link = join(dirname(path), 'link.db');
    symlinkSync('sessions.db', link);
    await newBackend(link);
    expect(statSync(path).mode & 0o777).toBe(0o600);
  });
});

describe('a file that is moved while it is open', () => {
  const gone = { code: 'STORE_UNAVAILABLE', retryable: false, message: expect.stringContaining('put its file back') };

  async function expectGone(backend: SessionBackend): Promise<void> {
    await expect(backend.ping()).rejects.toMatchObject(gone);
    await expect(append(backend)).rejects.toMatchObject(gone);
    await expect(backend.touchSession('a', 2e12, 1)).rejects.toMatchObject(gone);
    expect(() => backend.readChangeMarker?.()).toThrow(expect.objectContaining(gone));
  }

  it.each(['the file alone', 'with the files beside it'])(
    'deleted, %s: noticed by ping and by a write',
    async (what) => {
      const path = await newFile();
      const backend = await newBackend(path);
      await append(backend);
      rmSync(path);
      if (what !== 'the file alone') for (const end of ['-wal', '-shm']) rmSync(`${path}${end}`);
      await expectGone(backend);
    },
  );

  it('a replacement is noticed, and not written to', async () => {
    const path = await newFile();
    const backend = await newBackend(path);
    for (const end of ['', '-wal', '-shm']) renameSync(`${path}${end}`, `${path}${end}.old`);
    const other = await newBackend(path);
    await append(other);
    await expectGone(backend);
    expect((await other.readSession('a', 1))?.lastSeq).toBe(1);
  });

  it('works again when it is put back', async () => {
    const path = await newFile();
    const backend = await newBackend(path);
    renameSync(path, `${path}.away`);
    await expectGone(backend);
    renameSync(`${path}.away`, path);
    await backend.ping();
    expect(await append(backend)).toMatchObject([{ firstSeq: 1 }]);
  });

  it('ends a waiting tail', async () => {
    const path = await newFile();
    const store = await createSqliteStore({ path, sweep: false });
    onTestFinished(() => store.close());
    const session = await store.create();
    const next = session.events.tail()[Symbol.asyncIterator]().next();
    rmSync(path);
    await expect(next).rejects.toMatchObject(gone);
  });
});

describe('the write-ahead log', () => {
  const sizeOf = (path: string) => statSync(`${path}-wal`).size / MEBIBYTE;

  it('shrinks below 64 MiB after a long reader, which delays no write', { timeout: 60_000 }, async () => {
    const path = await newFile();
    const backend = await newBackend(path);
    const reader = new Database(path, { readonly: true });
    onTestFinished(() => void reader.close());
    reader.exec('begin; select count(*) from mcp_events');

    const waitsMs: number[] = [];
    for (let n = 0; n < 160; n++) {
      const start = performance.now();
      await append(backend, MEBIBYTE / 2);
      waitsMs.push(performance.now() - start);
    }
    expect(sizeOf(path)).toBeGreaterThan(75);
    // Much less than the busy timeout, which is not waited for.
    expect(Math.max(...waitsMs)).toBeLessThan(4_000);

    reader.exec('commit');
    for (let n = 0; n < 16; n++) await append(backend);
    expect(sizeOf(path)).toBeLessThan(64);
    expect((await backend.readSession('a', 1))?.lastSeq).toBe(176);
  });

  it('is emptied when it exceeds 64 MiB, beside readers that overlap each other', { timeout: 120_000 }, async () => {
    const path = await newFile();
    const backend = await newBackend(path);
    const child = new Child(new URL('support/read-without-a-gap.ts', import.meta.url), [path]);
    onTestFinished(() => child.kill());
    expect(await child.line()).toBe('reading');
    while (sizeOf(path) < 64) await append(backend, MEBIBYTE / 4);
    // The machine may hold a reader up in the middle of a read. Then an attempt to empty the log
    // gives up, and a later one succeeds. If it holds the reader up between two reads, SQLite
    // begins the log anew and keeps 16 MiB of it. Then the log has to grow again.
    const until = performance.now() + 90_000;
    while (sizeOf(path) >= 16 && performance.now() < until) {
      await append(backend, sizeOf(path) < 64 ? MEBIBYTE / 4 : 10);
    }
    expect(sizeOf(path)).toBeLessThan(1);
  });
});
