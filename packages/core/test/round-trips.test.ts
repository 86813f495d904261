import { expect, it } from 'vitest';
import { open } from './support/open.ts';

it('makes one call to the backend for each use', async () => {
  const { store, calls } = await open();
  const session = await store.create();
  expect(calls.take()).toEqual(['createSession']);

  await store.get(session.id);
  expect(calls.take()).toEqual(['readSession']);
  await session.state.get('a');
  expect(calls.take()).toEqual(['readState']);
  await session.state.set('a', 1);
  expect(calls.take()).toEqual(['commitState']);
  await session.state.compareAndSet('a', 2, 1);
  expect(calls.take()).toEqual(['commitState']);
  await session.state.patch({ a: 1, b: 2 });
  expect(calls.take()).toEqual(['commitState']);
  await session.state.remove('a');
  expect(calls.take()).toEqual(['commitState']);
  await session.state.clear();
  expect(calls.take()).toEqual(['clearState']);
  await session.events.append('s', 1);
  expect(calls.take()).toEqual(['appendEvents']);
  await session.events.recent(1);
  expect(calls.take()).toEqual(['readEvents']);
  await session.updateMetadata(() => ({}));
  expect(calls.take()).toEqual(['updateSession']);
  await session.end();
  expect(calls.take()).toEqual(['endSession']);
});

it('makes two for an update: a read and a write', async () => {
  const { store, calls } = await open();
  const session = await store.create();
  calls.take();

  await session.state.update('a', (n = 0) => n + 1);

  expect(calls.take()).toEqual(['readState', 'commitState']);
});

it('does not write for a session that is only read often, through one handle or many', async () => {
  const { store, clock, calls } = await open({ ttlMs: 600_000 });
  const session = await store.create();
  calls.take();

  for (let read = 0; read < 100; read++) {
    clock.now += 500;
    await session.state.get('a');
    await store.get(session.id);
    await session.events.recent(1);
  }

  // 50 seconds, less than the interval of a minute.
  expect(calls.count('touchSession')).toBe(0);
});

it('touches once an interval for each handle, also when it reads many times at once', async () => {
  const { store, clock, calls } = await open({ ttlMs: 600_000 });
  const session = await store.create();
  calls.take();

  clock.now += 60_000;
  await Promise.all(Array.from({ length: 20 }, () => session.state.get('a')));
  expect(calls.count('touchSession')).toBe(1);
  clock.now += 59_999;
  await session.state.get('a');
  expect(calls.count('touchSession')).toBe(0);
});

it('does not touch during a write, which renews by itself, nor soon after one', async () => {
  const { store, clock, calls } = await open({ ttlMs: 600_000 });
  const session = await store.create();
  calls.take();

  for (let write = 0; write < 5; write++) {
    clock.now += 120_000;
    await session.state.set('a', write);
    await session.state.get('a');
    clock.now += 120_000;
    await session.events.append('s', write);
    await session.events.recent(1);
  }

  expect(calls.count('touchSession')).toBe(0);
});

it('repeats a failed touch, and reports that it failed', async () => {
  let failing = true;
  const { store, clock, calls } = await open({ ttlMs: 600_000 }, (inner) => ({
    touchSession: (id, expiresAt, now) =>
      failing ? Promise.reject(new Error('no connection')) : inner.touchSession(id, expiresAt, now),
  }));
  const session = await store.create();
  clock.now += 60_000;

  await expect(session.touch()).rejects.toMatchObject({ code: 'STORE_FAILED' });
  failing = false;
  calls.take();
  await session.touch();

  expect(calls.take()).toEqual(['touchSession']);
});
