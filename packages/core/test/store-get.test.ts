import { describe, expect, it } from 'vitest';
import { open } from './support/open.ts';

describe('store.get', () => {
  it('finds a live session of the principal that asks', async () => {
    const { store } = await open();
    const { id } = await store.create({ principal: 'alice' });

    expect(await store.get(id, { principal: 'alice' })).toMatchObject({ id, principal: 'alice' });
  });

  it('answers the same whatever the reason that nothing is found', async () => {
    const { store, clock } = await open({ ttlMs: 1_000 });
    const foreign = await store.create({ principal: 'alice', ttlMs: 60_000 });
    const expired = await store.create({ principal: 'bob' });
    const ended = await store.create({ principal: 'bob', ttlMs: 60_000 });
    await ended.end();
    clock.now += 1_000;

    const ids = ['unknown', '', 'a b', 'ü', 'a\n', 'a'.repeat(256), 5, null, undefined, {}, ['x']];
    for (const id of [...ids, foreign.id, expired.id, ended.id]) {
      expect(await store.get(id as string, { principal: 'bob' })).toBeUndefined();
    }
  });

  it('does not find the session of another principal', async () => {
    const { store } = await open();
    const { id } = await store.create({ principal: 'alice' });

    expect(await store.get(id)).toBeUndefined();
    expect(await store.get(id, {})).toBeUndefined();
    expect(await store.get(id, { principal: null })).toBeUndefined();
    for (const principal of ['Alice', 'alice ', 'alic', 'alice\u0301']) {
      expect(await store.get(id, { principal })).toBeUndefined();
    }
  });

  it('finds a session of another kind only if asked for that kind', async () => {
    const { store } = await open();
    const { id } = await store.create({ kind: 'node' });

    expect(await store.get(id)).toBeUndefined();
    expect((await store.get(id, { kind: 'node' }))?.kind).toBe('node');
    await expect(store.get(id, { kind: 'No Kind' })).rejects.toMatchObject({ code: 'INVALID_KIND' });
  });

  it('finds a session without a principal for anyone who has the id', async () => {
    const { store } = await open();
    const { id } = await store.create();

    expect((await store.get(id))?.id).toBe(id);
    expect((await store.get(id, { principal: null }))?.id).toBe(id);
    expect((await store.get(id, { principal: 'anyone' }))?.principal).toBeNull();
  });

  it('does not renew a session that it does not return', async () => {
    const { store, clock, calls } = await open({ ttlMs: 1_000, touchIntervalMs: 1 });
    const session = await store.create({ principal: 'alice' });
    clock.now += 500;
    calls.take();

    expect(await store.get(session.id, { principal: 'mallory' })).toBeUndefined();
    expect(calls.take()).toEqual(['readSession']);
    clock.now += 500;
    expect(await store.get(session.id, { principal: 'alice' })).toBeUndefined();
  });

  it('ends at the millisecond of expiry', async () => {
    const { store, clock } = await open({ ttlMs: 1_000, touchIntervalMs: 1_000 });
    const { id } = await store.create();

    clock.now += 999;
    expect((await store.get(id))?.id).toBe(id);
    clock.now += 1;
    expect(await store.get(id)).toBeUndefined();
  });

  it('finds nothing if the session ends while its use is noted', async () => {
    const { store, clock } = await open({ ttlMs: 1_000, touchIntervalMs: 10 }, (inner) => ({
      async touchSession(id, expiresAt, now) {
        await inner.endSession(id, now + 1_000, now);
        return inner.touchSession(id, expiresAt, now);
      },
    }));
    const { id } = await store.create();
    clock.now += 10;

    expect(await store.get(id)).toBeUndefined();
  });
});

describe('session.end', () => {
  it('is true for exactly one caller, and no use succeeds after it', async () => {
    const { store } = await open();
    const session = await store.create();
    const other = await store.get(session.id);
    const event = await session.events.append('s', 1);

    const ended = await Promise.all([session.end(), other?.end(), session.end()]);

    expect(ended.filter(Boolean)).toHaveLength(1);
    expect(await session.end()).toBe(false);
    const uses = [
      () => session.touch().then(() => session.state.get('a')),
      () => session.state.set('a', 1),
      () => session.state.patch({}),
      () => session.state.clear(),
      () => session.state.keys(),
      () => session.state.update('a', () => 1),
      () => session.state.remove('a'),
      () => session.events.append('s', 1),
      () => session.events.recent(1),
      () => session.events.trim({ maxEvents: 0 }),
      () => session.events.trim({ through: event }),
      () => session.events.replay().next(),
      () => session.updateMetadata(() => ({})),
    ];
    for (const use of uses) {
      await expect(use()).rejects.toMatchObject({
        code: 'SESSION_NOT_FOUND',
        message: 'Session is unknown, has expired or was ended',
      });
    }
  });

  it('keeps the id taken until the tombstone is swept, and no longer', async () => {
    const { store, clock } = await open({ tombstoneMs: 5_000 });
    const session = await store.create({ id: 'once' });
    await session.end();

    clock.now += 4_999;
    expect(await store.sweep()).toBe(0);
    await expect(store.create({ id: 'once' })).rejects.toMatchObject({ code: 'SESSION_EXISTS' });
    clock.now += 1;
    expect(await store.sweep()).toBe(1);
    expect((await store.create({ id: 'once' })).id).toBe('once');
  });

  it('keeps no id if asked not to', async () => {
    const { store } = await open({ tombstoneMs: 5_000 });
    const session = await store.create({ id: 'untold' });
    await session.events.append('s', 1);

    expect(await session.end({ keepId: false })).toBe(true);
    expect(await session.end({ keepId: false })).toBe(false);
    await store.sweep();
    expect((await store.create({ id: 'untold' })).id).toBe('untold');
  });

  it('accepts the longest tombstone', async () => {
    const { store } = await open({ tombstoneMs: Number.MAX_SAFE_INTEGER });

    expect(await (await store.create()).end()).toBe(true);
    expect(await store.sweep()).toBe(0);
  });
});
