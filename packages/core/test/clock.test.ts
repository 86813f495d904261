import type { Session, SessionStore } from '@mcp-session/core';
import { expect, it } from 'vitest';
import { codeOf } from './support/errors.ts';
import { open, START } from './support/open.ts';

it.each([Number.NaN, 1.5, -1, Infinity, 2 ** 53, '5', null, undefined])(
  'refuses a clock that says %s',
  async (time) => {
    const { store, clock } = await open();
    const session = await store.create();
    clock.now = time as number;

    const uses: ((store: SessionStore, session: Session) => Promise<unknown>)[] = [
      () => store.create(),
      () => store.get(session.id),
      () => store.list(),
      () => store.count(),
      () => store.sweep(),
      () => session.touch(),
      () => session.end(),
      () => session.state.get('a'),
      () => session.state.set('a', 1),
      () => session.events.append('s', 1),
      () => session.events.recent(1),
    ];
    for (const use of uses) expect(await codeOf(() => use(store, session))).toBe('RangeError');

    clock.now = START;
    expect(await session.state.keys()).toEqual([]);
    expect(await session.events.append('s', 1)).toMatch(/^1\./);
  },
);

it('tolerates a clock that goes back', async () => {
  const { store, clock } = await open({ ttlMs: 1_000, touchIntervalMs: 10 });
  const session = await store.create();
  clock.now += 900;
  await session.touch();
  clock.now -= 5_000;

  await session.touch();
  await session.state.set('a', 1);
  await session.events.append('s', 1);

  expect(session.expiresAt).toBe(START + 1_900);
  expect(session.lastActiveAt).toBe(START + 900);
  expect((await session.events.recent(1))[0]?.createdAt).toBe(START - 4_100);
});

it('tolerates a clock that leaps', async () => {
  const { store, clock } = await open({ ttlMs: 1_000 });
  const session = await store.create();

  clock.now = Number.MAX_SAFE_INTEGER - 10;

  expect(await store.get(session.id)).toBeUndefined();
  expect(await store.sweep()).toBe(1);
  expect((await store.create({ id: 'late' })).expiresAt).toBe(Number.MAX_SAFE_INTEGER);
});

it('answers every append even if the clock fails between the call and its batch', async () => {
  let failAt = Infinity;
  let reads = 0;
  const { store } = await open({ clock: () => (reads++ < failAt ? START : Number.NaN) });
  const { events } = await store.create();

  // The first reading of the clock renews the session, the second one is the batch's.
  failAt = reads + 1;
  expect(await codeOf(() => events.append('s', 1))).toBe('RangeError');

  failAt = Infinity;
  expect(await events.append('s', 1)).toMatch(/^1\./);
});
