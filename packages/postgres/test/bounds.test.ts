import { randomBytes } from 'node:crypto';
import { expect, inject, it } from 'vitest';
import { Proxy } from './support/proxy.ts';
import { append, createSession, FAR, newBackend as open, untilWaiting } from './support/schemas.ts';

type Look = (table: string) => Promise<number>;

async function newBackend() {
  const { backend, sql, schema } = await open({ notifications: 'off' });
  await createSession(backend);
  const count: Look = async (table) => {
    const [row] = await sql.unsafe<{ count: string }[]>(`select count(*) from mcp_${table}`);
    return Number(row?.count);
  };
  return { backend, sql, schema, count };
}

it('tokens are remembered for the last 1,000 events, and for at most twice as many', async () => {
  const { backend, count } = await newBackend();
  for (let n = 1; n <= 5_000; n++) {
    await append(backend, `token-${n}`, ['s']);
    if (n % 50 === 0) expect(await count('tokens')).toBeLessThanOrEqual(2_000);
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
  const { backend, count } = await newBackend();
  const streams = Array.from({ length: 25_000 }, (_, index) => `stream-${index + 1}`);
  for (let n = 0; n < streams.length; n += 500) await append(backend, `token-${n}`, streams.slice(n, n + 500));
  await append(backend, 'kept', ['kept']);
  const trim = { maxEvents: 1, maxBytes: undefined, createdBefore: undefined, throughSeq: undefined, limit: 500 };
  let removed = 0;
  for (let n: number | undefined = 500; n === 500; removed += n) {
    n = (await backend.trimEvents('a', trim, 1)) ?? 0;
    expect(await count('trims')).toBeLessThanOrEqual(11_000);
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

it('a trim that waited for others keeps the horizon that they have set', async () => {
  const { backend, sql, schema } = await newBackend();
  await sql.unsafe(`update mcp_sessions set last_seq = 13500, trimmed_seq = 12500, log_bytes = 1000`);
  await sql.unsafe(`insert into mcp_events (session_pk, seq, created_at, bytes, stream_id, message)
    select pk, k, 1, 1, 's', '1' from mcp_sessions, generate_series(12501, 13500) k`);
  await sql.unsafe(`insert into mcp_trims (session_pk, trimmed_seq, stream_id)
    select pk, k, 'stream-' || k from mcp_sessions, generate_series(1500, 12500) k`);
  const holder = await sql.reserve();
  await holder`begin`;
  await holder`select from mcp_sessions for update`;
  const trim = { maxEvents: 0, maxBytes: undefined, createdBefore: undefined, throughSeq: undefined, limit: 1_000 };
  const waiting = backend.trimEvents('a', trim, 1);
  await untilWaiting(sql, schema, 1);
  // What two trims do that were faster.
  await holder`delete from mcp_trims where trimmed_seq <= 4000`;
  await holder`update mcp_sessions set forgotten_seq = 4000`;
  await holder`commit`;
  holder.release();
  expect(await waiting).toBe(1_000);
  expect(await sql`select forgotten_seq from mcp_sessions`).toEqual([{ forgotten_seq: '4000' }]);
});

it('a sweep leaves nothing behind, and a slow clock never sees half of an expired session', async () => {
  const { backend, count } = await newBackend();
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
  expect(await count('events')).toBe(5);
  expect(await backend.readSession('a', FAR - 1)).toBeUndefined();
  expect(await append(backend, 'late', ['s'])).toEqual([undefined]);
  expect(await backend.sweep(10, FAR)).toEqual({ ids: ['a'], done: true });
  for (const table of ['sessions', 'state', 'events', 'tokens', 'trims']) {
    expect([table, await count(table)]).toEqual([table, 0]);
  }
});

it('the tombstone of an ended session has no data of core', async () => {
  const { backend, sql } = await newBackend();
  await sql`update mcp_sessions set principal = 'me'`;
  await backend.endSession('a', FAR, 1);
  expect(await sql`select principal, profile from mcp_sessions`).toEqual([{ principal: null, profile: '' }]);
  // Nothing is due until the tombstone is.
  await backend.sweep(10, 1);
  expect(await sql`select sweep_at from mcp_sessions`).toEqual([{ sweep_at: String(FAR) }]);
});

it('a session that is renewed often is swept no earlier, and visited once per lifetime', async () => {
  const { backend, sql } = await newBackend();
  await backend.createSession({ id: 'busy', kind: 'session', principal: null, profile: '', expiresAt: 100 }, 1);
  for (let now = 10; now < 1_000; now += 10) await backend.touchSession('busy', now + 100, now);
  const sweepAt = async () => Number((await sql`select sweep_at from mcp_sessions where id = 'busy'`)[0]?.['sweep_at']);
  expect(await sweepAt()).toBe(100);
  expect(await backend.sweep(10, 1_000)).toEqual({ ids: [], done: true });
  expect(await sweepAt()).toBe(1_090);
  expect(await backend.sweep(10, 1_090)).toEqual({ ids: ['busy'], done: true });
});

it(
  'appends and commits change the row of their session within its page, without writing to its indexes',
  { timeout: 60_000 },
  async () => {
    const { backend, sql } = await newBackend();
    const limits = { maxKeys: 10, maxBytes: 100 };
    for (let n = 1; n <= 200; n++) {
      const events = [{ streamId: 's', message: '1', bytes: 1 }];
      await backend.appendEvents([{ sessionId: 'a', token: `token-${n}`, events, expiresAt: FAR + n }], n);
      const writes = [{ key: 'k', value: '1', bytes: 2, expectedVersion: undefined }];
      await backend.commitState({ sessionId: 'a', writes, limits, expiresAt: FAR + n }, n);
    }
    // A connection tells its counters when it ends.
    await backend.close();
    const counters = async () => {
      const [row] = await sql<{ updates: number; hot: number }[]>`
      select n_tup_upd::int4 as updates, n_tup_hot_upd::int4 as hot from pg_stat_user_tables
      where relname = 'mcp_sessions' and schemaname = current_schema()`;
      return row;
    };
    await expect.poll(counters, { timeout: 20_000 }).toMatchObject({ updates: 400 });
    expect((await counters())?.hot).toBeGreaterThan(380);
  },
);

it('a change of the record writes and sends no more beside a profile of 200 KB', async () => {
  const proxy = await Proxy.open(inject('postgres').url);
  let passed = 0;
  proxy.toServer = proxy.toClient = (bytes) => {
    passed += bytes.length;
    return bytes;
  };
  const { backend, sql } = await open({ notifications: 'off', url: proxy.url });
  const profile = randomBytes(100_000).toString('hex');
  await backend.createSession({ id: 'a', kind: 'session', principal: null, profile, expiresAt: FAR }, 1);
  const change = async (version: number): Promise<void> => {
    const record = { text: JSON.stringify('x'.repeat(200 + version)), expectedVersion: version };
    const given = { profile: undefined, record, expiresAt: FAR + version };
    expect(await backend.updateSession('a', given, 2 + version)).toEqual({ status: 'updated' });
  };
  // Where the large values are. Nothing but this session uses it.
  const bytesOfLarge = async () => {
    const [row] = await sql<{ bytes: number }[]>`
      select pg_relation_size(reltoastrelid)::int4 as bytes from pg_class where oid = 'mcp_sessions'::regclass`;
    return row?.bytes ?? 0;
  };
  const before = await bytesOfLarge();
  expect(before).toBeGreaterThan(profile.length / 2);
  // The first ones also prepare their statements.
  for (let version = 0; version < 10; version++) await change(version);
  passed = 0;
  await change(10);
  expect(passed).toBeLessThan(2_000);
  expect((await bytesOfLarge()) - before).toBeLessThan(profile.length / 2);
  expect((await backend.readSession('a', 20))?.profile).toBe(profile);
});
