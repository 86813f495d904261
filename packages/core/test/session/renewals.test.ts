import { type Session, SessionError } from '@mcp-session/core';
import { givenTtlOf, transportOf } from '@mcp-session/core/transport';
import { describe, expect, it } from 'vitest';
import { codeOf, collect } from '../support/errors.ts';
import { open, START } from '../support/open.ts';

describe('a read whose renewal fails', () => {
  const failing = () =>
    open({ ttlMs: 1_000, touchIntervalMs: 100, onError: () => undefined }, () => ({
      touchSession: () => Promise.reject(new SessionError('STORE_FULL', 'no room')),
    }));

  it('succeeds, tells the observer, and tries again with the next read', async () => {
    const { store, clock, calls } = await failing();
    const session = await store.create();
    await session.state.set('a', 1);
    await session.events.append('s', 'text');
    clock.now += 200;
    calls.take();

    const told = calls.next('touchSession', 'error');
    expect(await session.state.get('a')).toBe(1);
    expect(await told).toMatchObject({ code: 'STORE_FULL' });
    expect(await session.events.recent(1)).toMatchObject([{ message: 'text' }]);
    expect(await collect(session.events.replay())).toHaveLength(1);
    expect((await store.get(session.id))?.id).toBe(session.id);
    expect(calls.count('touchSession')).toBe(4);
    expect(session.expiresAt).toBe(START + 1_000);
    // Who asks for nothing but the renewal has to know.
    expect(await codeOf(() => session.touch())).toBe('STORE_FULL');
  });

  it('fails if the read fails, whatever happens to the renewal', async () => {
    const { store, clock } = await open({ ttlMs: 1_000, touchIntervalMs: 100 }, () => ({
      touchSession: () => Promise.reject(new SessionError('STORE_FULL', 'no room')),
      readState: () => Promise.reject(new SessionError('STORE_CORRUPT', 'damaged')),
    }));
    const session = await store.create();
    clock.now += 200;

    expect(await codeOf(() => session.state.get('a'))).toBe('STORE_CORRUPT');
  });

  it('finds no session if the renewal found none', async () => {
    const { store, clock } = await open({ ttlMs: 1_000, touchIntervalMs: 100 }, (inner) => ({
      // Ended between the read and the renewal.
      touchSession: async (id, expiresAt, now) => {
        await inner.endSession(id, now + 1_000, now);
        return inner.touchSession(id, expiresAt, now);
      },
    }));
    const session = await store.create();
    await session.state.set('a', 1);
    clock.now += 200;

    expect(await codeOf(() => session.state.get('a'))).toBe('SESSION_NOT_FOUND');
  });
});

describe('a transport', () => {
  const setTtl = (session: Session, ttlMs: number | undefined) =>
    transportOf(session).updateTransport(({ protocol, record }) => ({ protocol, record, ttlMs }));

  it('gives a session another life, which counts from then on, for every handle that reads it later', async () => {
    const { store, clock } = await open({ ttlMs: 1_000 });
    const session = await store.create({ ttlMs: 100 });
    expect(session.expiresAt).toBe(START + 100);
    clock.now += 99;
    expect(await setTtl(session, 5_000)).toMatchObject({ ttlMs: 5_000 });
    expect(session.expiresAt).toBe(START + 5_099);
    clock.now += 4_999;
    expect((await store.get(session.id))?.expiresAt).toBe(clock.now + 5_000);
    // The store's own again. A session never expires sooner than it would have before.
    await setTtl(session, undefined);
    expect(transportOf(session).transport.ttlMs).toBeUndefined();
    clock.now += 4_999;
    await session.state.set('a', 1);
    expect(session.expiresAt).toBe(clock.now + 1_000);
  });

  it('keeps the life of a session if it leaves it out', async () => {
    const { store } = await open({ ttlMs: 1_000 });
    const session = await store.create({ ttlMs: 100 });
    await transportOf(session).updateTransport(({ protocol }) => ({ protocol }));
    expect(transportOf(session).transport.ttlMs).toBe(100);
    expect(await codeOf(() => setTtl(session, 0))).toBe('RangeError');
  });

  it('can see whether a store was given a life of its sessions', async () => {
    const given = await open({ ttlMs: 1_800_000 });
    const leftOut = await open({});
    expect([given.store, leftOut.store, {}].map(givenTtlOf)).toEqual([1_800_000, undefined, undefined]);
  });
});
