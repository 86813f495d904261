import type { SessionBackend } from '@mcp-session/core/backend';
import { createSqliteBackend } from '@mcp-session/sqlite';
import Database from 'better-sqlite3';
import { statSync } from 'node:fs';
import { expect, it, onTestFinished } from 'vitest';
import { newFile } from './support/files.ts';

const FAR = 1e12;

async function newBackend(): Promise<{ readonly backend: SessionBackend; readonly database: Database.Database }> {
  const database = new Database(':memory:');
  onTestFinished(() => void database.close());
  const backend = await createSqliteBackend({ database });
  await backend.migrate();
  await backend.createSession({ id: 'a', kind: 'session', principal: 'me', profile: 'secret', expiresAt: FAR }, 1);
  return { backend, database };
}

function append(backend: SessionBackend, token: string, streams: readonly string[]) {
  const events = streams.map((streamId) => ({ streamId, message: '1', bytes: 1 }));
  return backend.appendEvents([{ sessionId: 'a', token, events, expiresAt: undefined }], 1);
}

function count(database: Database.Database, table: string): number {
  return Number(database.prepare(`select count(*) from mcp_${table}`).pluck().get());
}

it('tokens are remembered for the last 1,000 events, and for at most twice as many', async () => {
  const { backend, database } = await newBackend();
  for (let n = 1; n <= 5_000; n++) {
    await append(backend, `token-${n}`, ['s']);
    if (n % 50 === 0) expect(count(database, 'tokens')).toBeLessThanOrEqual(2_000);
  }
  const trim = { maxEvents: 0, maxBytes: undefined, createdBefore: undefined, throughSeq: undefined, limit: 10_000 };
  expect(await backend.trimEvents('a', trim, 1)).toBe(5_000);
  const known = { retainedEvents: 0, retainedBytes: 0 };
  expect(await append(backend, 'token-4001', ['s'])).toEqual([{ firstSeq: 4_001, ...known }]);
  expect(await append(backend, 'token-5000', ['s'])).toEqual([{ firstSeq: 5_000, ...known }]);
  expect(await append(backend, 'token-1', ['s'])).toMatchObject([{ firstSeq: 5_001 }]);
});

it('a request of more than 1,000 events is remembered as long as its last one', async () => {
  const { backend } = await newBackend();
  await append(
    backend,
    'large',
    Array.from({ length: 2_500 }, () => 's'),
  );
  expect(await append(backend, 'large', ['s'])).toMatchObject([{ firstSeq: 1, retainedEvents: 2_500 }]);
});

it('trims are remembered for the last 10,000 streams, and a forgotten stream gets the safe answer', async () => {
  const { backend, database } = await newBackend();
  const streams = Array.from({ length: 25_000 }, (_, index) => `stream-${index + 1}`);
  for (let n = 0; n < streams.length; n += 500) await append(backend, `token-${n}`, streams.slice(n, n + 500));
  await append(backend, 'kept', ['kept']);
  const trim = { maxEvents: 1, maxBytes: undefined, createdBefore: undefined, throughSeq: undefined, limit: 500 };
  let removed = 0;
  for (let n: number | undefined = 500; n === 500; removed += n) {
    n = (await backend.trimEvents('a', trim, 1)) ?? 0;
    expect(count(database, 'trims')).toBeLessThanOrEqual(11_000);
  }
  expect(removed).toBe(25_000);

  const trimmedSeq = async (streamId: string | undefined) =>
    (await backend.readEvents({ sessionId: 'a', streamId, afterSeq: 0, limit: 1, maxBytes: 1 }, 1))?.trimmedSeq;
  expect(await trimmedSeq(undefined)).toBe(25_000);
  expect(await trimmedSeq('stream-25000')).toBe(25_000);
  expect(await trimmedSeq('stream-15001')).toBe(15_001);
  const forgotten = (await trimmedSeq('stream-1')) ?? 0;
  expect(forgotten).toBe(await trimmedSeq('never-used'));
  expect(forgotten).toBeGreaterThanOrEqual(14_000);
  expect(forgotten).toBeLessThanOrEqual(15_000);
});

it('a sweep leaves nothing behind, and a slow clock never sees half of an expired session', async () => {
  const { backend, database } = await newBackend();
  await append(
    backend,
    'token',
    Array.from({ length: 20 }, () => 's'),
  );
  await backend.trimEvents(
    'a',
    { maxEvents: 15, maxBytes: undefined, createdBefore: undefined, throughSeq: undefined, limit: 100 },
    1,
  );
  const writes = [{ key: 'k', value: '1', bytes: 2, expectedVersion: undefined }];
  const limits = { maxKeys: 1, maxBytes: 10 };
  await backend.commitState({ sessionId: 'a', writes, limits, expiresAt: undefined }, 1);

  expect(await backend.sweep(10, FAR)).toEqual({ ids: [], done: false });
  expect(count(database, 'events')).toBe(5);
  expect(await backend.readSession('a', FAR - 1)).toBeUndefined();
  expect(await append(backend, 'late', ['s'])).toEqual([undefined]);
  expect(await backend.sweep(10, FAR)).toEqual({ ids: ['a'], done: true });
  for (const table of ['sessions', 'state', 'events', 'tokens', 'trims']) {
    expect([table, count(database, table)]).toEqual([table, 0]);
  }
});

it('the tombstone of an ended session has its id, and no data of its user', async () => {
  const { backend, database } = await newBackend();
  await backend.endSession('a', FAR, 1);
  const left = { id: 'a', kind: 'session', principal: null, profile: '', purge_at: FAR };
  expect(database.prepare('select * from mcp_sessions').all()).toMatchObject([left]);
  // Nothing is due until the tombstone is.
  await backend.sweep(10, 1);
  expect(database.prepare('select look_at from mcp_sessions').pluck().all()).toEqual([FAR]);
});

it('a sweep looks at no more sessions than its limit, even if they have nothing to remove', async () => {
  const { backend, database } = await newBackend();
  for (let n = 0; n < 50; n++) {
    const id = `ended-${n}`;
    await backend.createSession({ id, kind: 'session', principal: null, profile: '{}', expiresAt: FAR }, 1);
    await backend.endSession(id, FAR, 1);
  }
  const waiting = () => database.prepare('select count(*) from mcp_sessions where look_at = 0').pluck().get();
  expect(waiting()).toBe(50);
  expect(await backend.sweep(10, 1)).toEqual({ ids: [], done: false });
  expect(waiting()).toBe(40);
  for (let step = 0; step < 4; step++) await backend.sweep(10, 1);
  expect(waiting()).toBe(0);
  expect(await backend.sweep(10, 1)).toEqual({ ids: [], done: true });
});

it('a renewal changes no index, and a sweep that is too early looks again when the session expires', async () => {
  const { backend, database } = await newBackend();
  await backend.createSession({ id: 'b', kind: 'session', principal: null, profile: '', expiresAt: 100 }, 1);
  const lookAt = () => database.prepare(`select look_at from mcp_sessions where id = 'b'`).pluck().get();
  await backend.touchSession('b', 300, 50);
  const event = { streamId: 's', message: '1', bytes: 1 };
  await backend.appendEvents([{ sessionId: 'b', token: 't', events: [event], expiresAt: 400 }], 60);
  expect(lookAt()).toBe(100);
  expect(await backend.sweep(10, 399)).toEqual({ ids: [], done: true });
  expect(lookAt()).toBe(400);
  expect(await backend.readSession('b', 399)).toMatchObject({ lastSeq: 1, expiresAt: 400 });
  expect(await backend.sweep(10, 400)).toEqual({ ids: ['b'], done: true });
});

it('a change of the record writes as much beside a profile of 200 KB as beside an empty one', async () => {
  const written = async (profile: string): Promise<number> => {
    const path = await newFile();
    const backend = await createSqliteBackend({ path });
    onTestFinished(() => backend.close());
    await backend.migrate();
    await backend.createSession({ id: 'a', kind: 'session', principal: null, profile, expiresAt: 2 * FAR }, FAR);
    const before = statSync(`${path}-wal`).size;
    for (let n = 0; n < 20; n++) {
      const record = { text: JSON.stringify('x'.repeat(200 + n)), expectedVersion: n };
      const change = { profile: undefined, record, expiresAt: 2 * FAR + n };
      expect((await backend.updateSession('a', change, FAR + n))?.status).toBe('updated');
    }
    return statSync(`${path}-wal`).size - before;
  };
  const small = await written('{}');
  expect(small).toBeLessThan(20 * 3 * 4_200);
  expect(await written('x'.repeat(200_000))).toBeLessThanOrEqual(small + 2 * 4_200);
});
