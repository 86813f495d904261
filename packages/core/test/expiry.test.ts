import type { Session } from '@mcp-session/core';
import { createMemoryBackend } from '@mcp-session/core/memory';
import { describe, expect, it } from 'vitest';
import { codeOf } from './support/errors.ts';
import { open, START } from './support/open.ts';
import { updateProtocol } from './support/transport.ts';

const activities: [string, (session: Session) => Promise<unknown>][] = [
  ['touch', (session) => session.touch()],
  ['state.get', (session) => session.state.get('a')],
  ['state.getEntry', (session) => session.state.getEntry('a')],
  ['state.keys', (session) => session.state.keys()],
  ['state.entries', (session) => session.state.entries()],
  ['state.set', (session) => session.state.set('a', 1)],
  ['state.compareAndSet', (session) => session.state.compareAndSet('b', 1, 0)],
  ['state.update', (session) => session.state.update('a', () => 1)],
  ['state.remove', (session) => session.state.remove('a')],
  ['state.patch', (session) => session.state.patch({ a: 1 })],
  ['an empty state.patch', (session) => session.state.patch({})],
  ['state.clear', (session) => session.state.clear()],
  ['events.append', (session) => session.events.append('s', 1)],
  ['events.replay', (session) => session.events.replay().next()],
  ['events.tail', (session) => session.events.tail({ signal: AbortSignal.abort() }).next()],
  ['events.recent', (session) => session.events.recent(1)],
  ['events.trim', (session) => session.events.trim({ maxEvents: 5 })],
  ['updateMetadata', (session) => session.updateMetadata(() => ({ a: 1 }))],
  ['updateProtocol', (session) => updateProtocol(session, () => ({ initialized: true }))],
];

describe('idle expiry', () => {
  it.each(activities)('slides with %s', async (_what, use) => {
    const { store, clock, backend } = await open({ ttlMs: 1_000, touchIntervalMs: 100 });
    const session = await store.create();

    clock.now += 900;
    await use(session);

    expect(session.lastActiveAt).toBe(START + 900);
    expect(session.expiresAt).toBe(START + 1_900);
    expect(await backend.readSession(session.id, START + 1_899)).toMatchObject({
      touchedAt: START + 900,
      expiresAt: START + 1_900,
    });
  });

  it('slides with store.get', async () => {
    const { store, clock } = await open({ ttlMs: 1_000, touchIntervalMs: 100 });
    const { id } = await store.create();

    clock.now += 900;
    expect((await store.get(id))?.expiresAt).toBe(START + 1_900);
    clock.now += 999;
    expect((await store.get(id))?.expiresAt).toBe(START + 2_899);
  });

  it.each(activities)('refuses %s from its millisecond on', async (_what, use) => {
    const { store, clock } = await open({ ttlMs: 1_000, touchIntervalMs: 100 });
    const session = await store.create();

    clock.now += 1_000;

    expect(await store.get(session.id)).toBeUndefined();
    expect(await session.end()).toBe(false);
    // A tail ends without an error when its session is over.
    expect(await codeOf(() => use(session))).toBe(_what === 'events.tail' ? 'none' : 'SESSION_NOT_FOUND');
    expect(await codeOf(() => use(session))).toBe(_what === 'events.tail' ? 'none' : 'SESSION_NOT_FOUND');
  });

  it('slides to the latest of the appends in one call', async () => {
    const { store, clock, backend } = await open({ ttlMs: 1_000 });
    const session = await store.create();

    const first = session.events.append('s', 1);
    clock.now += 500;
    const second = session.events.append('s', 2);
    await Promise.all([first, second]);

    expect(await backend.readSession(session.id, clock.now)).toMatchObject({ expiresAt: START + 1_500 });
  });

  it('does not slide with a refused write', async () => {
    const { store, clock } = await open({ ttlMs: 1_000, touchIntervalMs: 1_000 });
    const session = await store.create();
    await session.state.set('a', 1);

    clock.now += 500;
    await codeOf(() => session.state.compareAndSet('a', 2, 0));
    await codeOf(() => session.state.set('a', Number.NaN));
    await codeOf(() => session.events.append('', 1));

    expect(session.expiresAt).toBe(START + 1_000);
  });

  it('never grows shorter, whatever the clocks of several handles say', async () => {
    const backend = createMemoryBackend();
    const ahead = await open({ backend, ttlMs: 1_000 });
    const behind = await open({ backend, ttlMs: 1_000 });
    const { id } = await ahead.store.create();
    ahead.clock.now += 500;
    await (await ahead.store.get(id))?.state.set('a', 1);

    behind.clock.now += 1;
    const session = await behind.store.get(id);
    await session?.state.set('a', 2);

    expect(session?.expiresAt).toBe(START + 1_500);
    expect(await backend.readSession(id, START + 1_499)).toMatchObject({ touchedAt: START + 500 });
  });
});

describe('the slack of touches', () => {
  it('writes the activity of a read touchIntervalMs after the last write, and not before', async () => {
    const { store, clock, calls } = await open({ ttlMs: 1_000, touchIntervalMs: 100 });
    const session = await store.create();
    calls.take();

    clock.now += 99;
    await session.state.get('a');
    await session.touch();
    expect(calls.take()).toEqual(['readState']);
    clock.now += 1;
    await session.state.get('a');
    expect(calls.take().toSorted()).toEqual(['readState', 'touchSession']);
    clock.now += 99;
    await session.touch();
    expect(calls.take()).toEqual([]);
    clock.now += 1;
    await session.touch();
    expect(calls.take()).toEqual(['touchSession']);
  });

  it('lets a session that is only read expire at most touchIntervalMs too early', async () => {
    const { store, clock } = await open({ ttlMs: 1_000, touchIntervalMs: 100 });
    const session = await store.create();

    clock.now += 99;
    await session.state.get('a');
    clock.now += 900;
    expect((await store.get(session.id))?.id).toBe(session.id);
  });

  it('is a tenth of the time to live, and at most one minute', async () => {
    const touchedAfter = async (ttlMs: number, elapsedMs: number): Promise<number> => {
      const { store, clock, calls } = await open({ ttlMs });
      const session = await store.create();
      clock.now += elapsedMs;
      await session.touch();
      return calls.count('touchSession');
    };

    expect(await touchedAfter(10_000, 999)).toBe(0);
    expect(await touchedAfter(10_000, 1_000)).toBe(1);
    expect(await touchedAfter(10_000_000, 59_999)).toBe(0);
    expect(await touchedAfter(10_000_000, 60_000)).toBe(1);
  });

  it('keeps a session with a short life of its own alive while it is used', async () => {
    const { store, clock } = await open({ touchIntervalMs: 60_000 });
    const node = await store.create({ kind: 'node', ttlMs: 15_000 });

    for (let step = 0; step < 20; step++) {
      clock.now += 5_000;
      await node.touch();
    }

    expect((await store.get(node.id, { kind: 'node' }))?.expiresAt).toBe(clock.now + 15_000);
  });

  it('tells a handle every time that its session has ended, not only the first time', async () => {
    const { store, clock } = await open({ touchIntervalMs: 10 });
    const session = await store.create();
    const other = await store.get(session.id);
    await other?.end();
    clock.now += 10;

    expect(await codeOf(() => session.touch())).toBe('SESSION_NOT_FOUND');
    expect(await codeOf(() => session.touch())).toBe('SESSION_NOT_FOUND');
  });
});

describe('maxLifetimeMs', () => {
  it('does not slide', async () => {
    const { store, clock } = await open({ ttlMs: 1_000, maxLifetimeMs: 1_500, touchIntervalMs: 100 });
    const session = await store.create();

    clock.now += 900;
    await session.state.set('a', 1);
    expect(session.expiresAt).toBe(START + 1_500);
    clock.now += 599;
    expect(await session.state.get('a')).toBe(1);
    clock.now += 1;
    expect(await codeOf(() => session.state.get('a'))).toBe('SESSION_NOT_FOUND');
  });

  it('and ttlMs can be a session’s own, and stay so for every handle', async () => {
    const { store, clock } = await open({ ttlMs: 1_000, touchIntervalMs: 100 });
    const { id } = await store.create({ ttlMs: 10_000, maxLifetimeMs: 15_000 });

    clock.now += 9_999;
    const session = await store.get(id);
    expect(session?.expiresAt).toBe(START + 15_000);
    await session?.updateMetadata(() => ({ changed: true }));
    clock.now += 5_000;
    expect((await store.get(id))?.expiresAt).toBe(START + 15_000);
    clock.now += 1;
    expect(await store.get(id)).toBeUndefined();
  });
});

it('an append with renew: false leaves the times of the session alone', async () => {
  const { store, clock } = await open({ ttlMs: 60_000 });
  const session = await store.create();
  const { expiresAt } = session;
  clock.now += 30_000;
  await session.events.append('a', 1, { renew: false });
  expect([session.expiresAt, (await store.list()).sessions[0]?.expiresAt]).toEqual([expiresAt, expiresAt]);
  await Promise.all([session.events.append('a', 2, { renew: false }), session.events.append('a', 3)]);
  expect((await store.list()).sessions[0]?.expiresAt).toBe(expiresAt + 30_000);
});
