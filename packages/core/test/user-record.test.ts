import type { StateSchemas } from '@mcp-session/core';
import { createMemoryBackend } from '@mcp-session/core/memory';
import { expect, expectTypeOf, it } from 'vitest';
import * as z from 'zod';
import { open, START } from './support/open.ts';

const DAY = 86_400_000;
const ALICE = 'https://id.example|alice';

it('every session and request of a user shares one state, and no other user does', async () => {
  const { store } = await open();
  const [first, second] = [store.forPrincipal(ALICE), store.forPrincipal(ALICE)];
  await first.state.set('theme', 'dark');

  expect(await second.state.get('theme')).toBe('dark');
  for (const other of ['https://id.example|alic', `${ALICE} `, 'https://id.example|Alice']) {
    const { state } = store.forPrincipal(other);
    expect(await state.entries()).toEqual(new Map());
    await state.set('theme', other);
  }
  expect([second.principal, await second.state.get('theme')]).toEqual([ALICE, 'dark']);
});

it('costs no call until it is used, one read to find, and reads create nothing', async () => {
  const { store, calls } = await open();
  const { state, end } = store.forPrincipal(ALICE);
  expect(calls.take()).toEqual([]);

  expect(await state.get('a')).toBeUndefined();
  expect(await state.getEntry('a')).toBeUndefined();
  expect(await state.keys()).toEqual([]);
  expect(await state.entries()).toEqual(new Map());
  expect(await state.remove('a')).toBe(false);
  expect(await state.clear()).toBe(0);
  expect(await end()).toBe(false);
  expect(calls.take()).toEqual(Array.from({ length: 7 }, () => 'readSession'));

  await state.set('a', 1);
  expect(calls.take()).toEqual(['readSession', 'createSession', 'commitState']);
  await state.set('a', 2);
  await state.get('a');
  expect(calls.take()).toEqual(['commitState', 'readState']);
  expect(await store.count({ kind: 'user', principal: ALICE })).toBe(1);
  await store.forPrincipal(ALICE).state.get('a');
  expect(calls.take()).toEqual(['countSessions', 'readSession', 'readState']);
});

it('writes that begin the record at the same time begin one', async () => {
  const backend = createMemoryBackend();
  const stores = await Promise.all([open({ backend }), open({ backend }), open({ backend })]);
  const users = stores.flatMap(({ store }) => [store.forPrincipal(ALICE), store.forPrincipal(ALICE)]);
  await Promise.all(
    users.flatMap(({ state }) => Array.from({ length: 5 }, () => state.update('n', (n: number = 0) => n + 1))),
  );

  expect(await users[0]?.state.get('n')).toBe(30);
});

it('expires after its own time, and begins anew though no sweep has passed', async () => {
  const { store, clock } = await open({ ttlMs: 1_000, maxLifetimeMs: 1_000 });
  const { state } = store.forPrincipal(ALICE, { ttlMs: 10 * DAY });
  await state.set('theme', 'dark');
  clock.now += 10 * DAY - 1;
  expect(await state.get('theme')).toBe('dark');
  clock.now += 10 * DAY;

  expect(await state.get('theme')).toBeUndefined();
  await state.set('size', 12);
  expect(await state.entries()).toEqual(new Map([['size', 12]]));
  expect(await store.forPrincipal(ALICE).state.keys()).toEqual(['size']);
});

it('lives for 90 days after its last use unless told otherwise', async () => {
  const { store, clock } = await open();
  await store.forPrincipal(ALICE).state.set('a', 1);
  clock.now = START + 90 * DAY - 1;
  expect(await store.forPrincipal(ALICE).state.get('a')).toBe(1);
  clock.now += 90 * DAY;
  expect(await store.forPrincipal(ALICE).state.get('a')).toBeUndefined();
});

it('a record that was ended is empty for everybody at once, and begins anew', async () => {
  const { store } = await open();
  const [mine, other] = [store.forPrincipal(ALICE), store.forPrincipal(ALICE)];
  await mine.state.set('a', 1);
  await other.state.get('a');
  expect([await mine.end(), await other.end()]).toEqual([true, false]);

  expect([await mine.state.get('a'), await other.state.get('a')]).toEqual([undefined, undefined]);
  await Promise.all([mine.state.set('b', 2), other.state.set('c', 3)]);
  expect(await other.state.keys()).toEqual(['b', 'c']);
});

it('has schemas of its own, whatever the store declares', async () => {
  const { store, calls } = await open({ state: { count: z.number() } });
  const { state } = store.forPrincipal(ALICE, { state: { theme: z.enum(['dark', 'light']) } });
  expectTypeOf(state.get<'theme'>).returns.resolves.toEqualTypeOf<'dark' | 'light' | undefined>();

  await state.set('theme', 'dark');
  calls.take();
  // @ts-expect-error: no such theme
  await expect(state.set('theme', 'pink')).rejects.toMatchObject({ code: 'INVALID_STATE_VALUE' });
  // @ts-expect-error: only the store declares it
  await expect(state.get('count')).rejects.toMatchObject({ code: 'STATE_KEY_UNDECLARED' });
  const declared: StateSchemas = { theme: z.string() };
  const others = store.forPrincipal(ALICE, { state: declared }).state;
  for (const write of [() => others.set('count', 1), () => others.update('count', () => 1)]) {
    await expect(write()).rejects.toMatchObject({ code: 'STATE_KEY_UNDECLARED' });
  }
  await expect(state.remove('')).rejects.toMatchObject({ code: 'INVALID_STATE_KEY' });
  expect(calls.take()).toEqual([]);
});

it('there is none for nobody', async () => {
  const { store } = await open();
  for (const principal of [null, undefined, '', 7, '\0', 'x'.repeat(1_025)]) {
    // @ts-expect-error: only a text names a user
    const given: string = principal;
    expect(() => store.forPrincipal(given)).toThrow(expect.objectContaining({ code: 'INVALID_PRINCIPAL' }));
  }
  expect(() => store.forPrincipal(ALICE, { ttlMs: 0 })).toThrow('Option ttlMs is 0');
  // @ts-expect-error: the name is wrong
  expect(() => store.forPrincipal(ALICE, { ttl: 1 })).toThrow(
    'Unknown option ttl of forPrincipal; did you mean ttlMs?',
  );
});

it('after close it refuses', async () => {
  const { store } = await open();
  const { state } = store.forPrincipal(ALICE);
  await state.set('a', 1);
  await store.close();
  await expect(state.get('a')).rejects.toMatchObject({ code: 'STORE_CLOSED' });
  await expect(store.forPrincipal(ALICE).state.set('a', 2)).rejects.toMatchObject({ code: 'STORE_CLOSED' });
});
