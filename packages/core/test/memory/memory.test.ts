import { REMOVE } from '@mcp-session/core';
import type { SessionBackend } from '@mcp-session/core/backend';
import { createMemoryBackend, createMemoryStore } from '@mcp-session/core/memory';
import { describe, expect, it } from 'vitest';
import { codeOf, collect, errorOf } from '../support/errors.ts';
import { open, START } from '../support/open.ts';

/** The bytes that a backend counts, read from the message of a refusal that changes nothing. */
async function bytesOf(backend: SessionBackend, now: number): Promise<number> {
  const id = 'probe';
  const profile = 'x'.repeat(10_000_000);
  const error = await errorOf(() =>
    backend.createSession({ id, kind: 'session', principal: null, profile, expiresAt: now + 1 }, now),
  );
  return Number(/holds (\d+) of/.exec((error as Error).message)?.[1]);
}

describe('the in-memory store', () => {
  it('says what the value is', async () => {
    const store = await createMemoryStore({ sweep: false });

    expect(store.backendName).toBe('memory');
    expect(store.capabilities).toMatchObject({ shared: false, durable: false, maxEventBytes: 67_108_864 });
    await store.close();
  });

  it('refuses one session too many, but removes expired ones first', async () => {
    const { store, clock } = await open({ backend: createMemoryBackend({ maxSessions: 2 }), ttlMs: 1_000 });
    await store.create({ id: 'a' });
    clock.now += 500;
    await store.create({ id: 'b' });

    expect(await errorOf(() => store.create())).toMatchObject({
      code: 'STORE_FULL',
      message: 'In-memory store holds 2 sessions; its option maxSessions sets the limit',
      retryable: true,
      scope: 'session',
    });
    clock.now += 500;
    expect((await store.create({ id: 'c' })).id).toBe('c');
    expect(await codeOf(() => store.create())).toBe('STORE_FULL');
    expect(await store.get('b')).toBeDefined();
  });

  it('is not filled by sessions that have ended, however large they were', async () => {
    const backend = createMemoryBackend({ maxSessions: 3, maxBytes: 100_000 });
    const { store } = await open({ backend });
    const held = await bytesOf(backend, START);
    for (let n = 0; n < 2_000; n++) {
      const session = await store.create({ principal: 'p'.repeat(500), metadata: { long: 'x'.repeat(20_000) } });
      await session.events.append('s', 'x'.repeat(20_000));
      await session.state.set('k', 'x'.repeat(20_000));
      await session.end();
    }

    // A name each, and those that ended first have given their place: there is still room for three
    // sessions, and no more.
    expect((await bytesOf(backend, START)) - held).toBeLessThanOrEqual(100_000);
    for (let n = 0; n < 3; n++) await store.create({ metadata: { long: 'x'.repeat(20_000) } });
    expect(await codeOf(() => store.create())).toBe('STORE_FULL');
  });

  it('forgets the ids of the sessions that ended first if it needs their room, and no others', async () => {
    const { store } = await open({ backend: createMemoryBackend({ maxBytes: 20_000 }) });
    const ids = Array.from({ length: 100 }, (_, n) => `ended-${n}`);
    for (const id of ids) await (await store.create({ id })).end();
    expect(await codeOf(() => store.create({ id: 'ended-0' }))).toBe('SESSION_EXISTS');

    await (await store.create()).state.set('k', 'x'.repeat(12_000));
    // What is refused even so takes nobody's place.
    expect(await codeOf(() => store.create({ metadata: { long: 'x'.repeat(30_000) } }))).toBe('STORE_FULL');
    expect(await codeOf(() => store.create({ id: 'ended-99' }))).toBe('SESSION_EXISTS');
    expect(await codeOf(() => store.create({ id: 'ended-0' }))).toBe('none');
  });

  it('keeps the ids of 100,000 ended sessions', { timeout: 30_000 }, async () => {
    const backend = createMemoryBackend();
    const create = (id: string) =>
      backend.createSession({ id, kind: 'session', principal: null, profile: '{}', expiresAt: START + 1 }, START);
    for (let n = 0; n <= 100_000; n++) {
      await create(`ended-${n}`);
      await backend.endSession(`ended-${n}`, START + 1_000, START);
    }

    expect(await create('ended-1')).toBe(false);
    expect(await create('ended-0')).toBe(true);
  });

  it('refuses writes above its bytes, changes nothing then, and accepts more after a removal', async () => {
    const { store } = await open({ backend: createMemoryBackend({ maxBytes: 10_000 }) });
    const session = await store.create();
    const { state, events } = session;
    const big = 'x'.repeat(4_000);
    await state.patch({ a: big, b: big });

    const uses = [
      () => state.set('c', big),
      () => events.append('s', big),
      () => state.patch({ b: 1, c: big, d: big }),
      () => session.updateMetadata(() => ({ big })),
      () => store.create({ metadata: { big } }),
    ];
    for (const use of uses) expect(await errorOf(use)).toMatchObject({ code: 'STORE_FULL', scope: 'session' });
    expect(await state.keys()).toEqual(['a', 'b']);
    expect(await events.recent(5)).toHaveLength(0);
    expect(session.metadata).toEqual({});
    await state.set('a', 1);
    await events.append('s', big);
    expect(await events.recent(5)).toHaveLength(1);
  });

  it('makes room for a session’s write by evicting its own oldest events, and nobody else’s', async () => {
    const { store } = await open({ backend: createMemoryBackend({ maxBytes: 50_000 }) });
    const [quiet, busy] = [await store.create(), await store.create()];
    const message = 'x'.repeat(1_000);
    for (let n = 0; n < 5; n++) await quiet.events.append('s', message);
    const first = await busy.events.append('s', message);
    for (let n = 1; n < 200; n++) await busy.events.append('s', message);

    const kept = await collect(busy.events.replay());
    expect(kept.at(-1)?.seq).toBe(200);
    expect(kept.length).toBeGreaterThan(25);
    expect(kept.map(({ seq }) => seq)).toEqual(kept.map((_, index) => 200 - kept.length + 1 + index));
    expect(await codeOf(() => busy.events.replay({ after: first }).next())).toBe('EVENTS_TRIMMED');

    await busy.state.set('a', 'x'.repeat(10_000));
    await busy.updateMetadata(() => ({ long: 'x'.repeat(10_000) }));
    expect((await collect(busy.events.replay())).length).toBeLessThan(kept.length - 15);
    expect(await collect(quiet.events.replay())).toHaveLength(5);
    // All that it has would not do, and so nothing is taken.
    const before = await busy.events.recent(100);
    expect(await codeOf(() => busy.state.set('b', 'x'.repeat(60_000)))).toBe('STORE_FULL');
    expect(await busy.events.recent(100)).toHaveLength(before.length);
  });

  it('if there is no room for one session, others of the same call still write', async () => {
    const { store } = await open({ backend: createMemoryBackend({ maxBytes: 20_000 }) });
    const [busy, fresh] = [await store.create(), await store.create()];
    for (let n = 0; n < 50; n++) await busy.events.append('s', 'x'.repeat(1_000));

    const [one, other] = await Promise.allSettled([
      fresh.events.append('s', 'x'.repeat(8_000)),
      busy.events.append('s', 'x'.repeat(1_000)),
    ]);
    expect(one).toMatchObject({ status: 'rejected', reason: { code: 'STORE_FULL' } });
    expect(other).toMatchObject({ status: 'fulfilled' });
  });

  it('makes room by removing expired sessions if its bytes are used up', async () => {
    const { store, clock } = await open({ backend: createMemoryBackend({ maxBytes: 10_000 }), ttlMs: 1_000 });
    const old = await store.create();
    await old.events.append('s', 'x'.repeat(8_000));
    clock.now += 500;
    const session = await store.create();
    expect(await codeOf(() => session.events.append('s', 'x'.repeat(8_000)))).toBe('STORE_FULL');
    clock.now += 500;

    expect(await session.events.append('s', 'x'.repeat(8_000))).toMatch(/^1\./);
    const other = await store.create();
    expect(await codeOf(() => other.state.set('a', 'x'.repeat(8_000)))).toBe('STORE_FULL');
  });

  it('counts no bytes after everything was swept', async () => {
    const backend = createMemoryBackend({ maxBytes: 1_000_000 });
    const { store, clock } = await open({
      backend,
      ttlMs: 1_000,
      tombstoneMs: 1_000,
      sweep: { stepRows: 7, intervalMs: 1_000_000 },
    });
    expect(await bytesOf(backend, START)).toBe(0);

    for (let index = 0; index < 5; index++) {
      const session = await store.create({ principal: 'alice', metadata: { index } });
      for (let n = 0; n < 20; n++) {
        await session.state.set(`k${n % 7}`, 'v'.repeat(n));
        await session.events.append(`s${n}`, 'm'.repeat(n));
      }
      await session.updateMetadata(() => ({ longer: 'text' }));
      await session.updateMetadata(() => ({}));
      await session.state.remove('k1');
      await session.state.patch({ k2: REMOVE, k3: 1, new: 2 });
      await session.events.trim({ maxEvents: 12 });
      if (index === 1) await session.state.clear();
      if (index === 2) await session.end();
    }
    expect(await bytesOf(backend, START)).toBeGreaterThan(5_000);
    clock.now += 1_000;

    expect(await store.sweep()).toBe(5);
    expect(await bytesOf(backend, clock.now)).toBe(0);
  });

  it('bounds what it remembers of trimmed streams, and counts it', async () => {
    const backend = createMemoryBackend({ maxBytes: 5_000_000 });
    const { store, clock } = await open({ backend, ttlMs: 1_000 });
    const { events } = await store.create();
    const empty = await bytesOf(backend, START);
    const first = await events.append('first', 1);
    for (let round = 0; round < 12; round++) {
      await Promise.all(Array.from({ length: 1_000 }, (_, n) => events.append(`stream-${round}-${n}`, 1)));
      await events.trim({ maxEvents: 0 });
    }

    const remembered = (await bytesOf(backend, START)) - empty;
    expect(remembered).toBeGreaterThan(10_000 * 'stream-0-0'.length);
    // A stream that it has forgotten is taken for one that may have lost events; a remembered one
    // is not.
    expect(await codeOf(() => events.replay({ after: first, streamId: 'first' }).next())).toBe('EVENTS_TRIMMED');
    const last = await events.append('last', 1);
    await events.trim({ maxEvents: 0 });
    expect(await codeOf(() => events.replay({ after: last, streamId: 'last' }).next())).toBe('none');
    clock.now += 1_000;
    await store.sweep();
    expect(await bytesOf(backend, clock.now)).toBe(0);
  });

  it('forgets everything when it is closed', async () => {
    const backend = createMemoryBackend();
    const { store } = await open({ backend });
    await store.create();

    await store.close();
    await backend.close();

    await expect(backend.countSessions({ kind: 'session', principal: undefined }, START)).rejects.toMatchObject({
      code: 'STORE_CLOSED',
    });
  });
});
