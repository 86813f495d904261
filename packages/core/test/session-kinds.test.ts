import { expect, expectTypeOf, it } from 'vitest';
import * as z from 'zod';
import { open, START } from './support/open.ts';

const HOUR = 3_600_000;

it('the sessions of a kind have schemas and lifetimes of their own', async () => {
  const { store, clock } = await open({ state: { count: z.number() }, ttlMs: 1_000, maxLifetimeMs: 2_000 });
  const carts = store.ofKind('cart', { state: { items: z.array(z.string()) }, ttlMs: HOUR });
  const cart = await carts.create({ principal: 'alice' });
  expectTypeOf(cart.state.get<'items'>).returns.resolves.toEqualTypeOf<string[] | undefined>();
  await cart.state.set('items', ['a']);
  clock.now += HOUR - 1;

  expect(await (await carts.get(cart.id, { principal: 'alice' }))?.state.get('items')).toEqual(['a']);
  expect(await store.get(cart.id, { principal: 'alice' })).toBeUndefined();
  expect(await carts.get(cart.id, { principal: 'bob' })).toBeUndefined();
  expect([await carts.count(), (await carts.list()).sessions.length, await store.count()]).toEqual([1, 1, 0]);
  clock.now += HOUR;
  expect(await carts.find(cart.id, { principal: 'alice' })).toBeUndefined();
});

it('without options a kind lives as the store says', async () => {
  const { store, clock } = await open({ ttlMs: 1_000, maxLifetimeMs: 1_500, state: { count: z.number() } });
  const { id, state } = await store.ofKind('cart').create();
  await state.set('anything', ['goes']);
  clock.now += 900;
  expect(await store.ofKind('cart').get(id)).toBeDefined();
  clock.now += 600;
  expect(await store.ofKind('cart').get(id)).toBeUndefined();
});

it('for its grace, an expired session is told from an unknown one to its owner, and nothing else is', async () => {
  const { store, clock } = await open();
  const carts = store.ofKind('cart', { ttlMs: HOUR, maxLifetimeMs: 3 * HOUR, graceMs: 10 * HOUR });
  const cart = await carts.create({ principal: 'alice' });
  expect([cart.createdAt, cart.expiresAt, cart.lastActiveAt]).toEqual([START, START + HOUR, START]);
  await cart.state.set('a', 1);
  clock.now += HOUR;

  await expect(cart.state.get('a')).rejects.toMatchObject({ code: 'SESSION_NOT_FOUND' });
  await expect(cart.state.set('a', 2)).rejects.toMatchObject({ code: 'SESSION_NOT_FOUND' });
  await expect(cart.state.clear()).rejects.toMatchObject({ code: 'SESSION_NOT_FOUND' });
  await expect(cart.updateMetadata(() => ({}))).rejects.toMatchObject({ code: 'SESSION_NOT_FOUND' });
  expect(await cart.end()).toBe(false);
  expect(await carts.get(cart.id, { principal: 'alice' })).toBeUndefined();
  expect([await carts.count(), (await carts.list()).sessions.length]).toEqual([0, 0]);
  clock.now += 10 * HOUR - 1;
  await store.sweep();
  expect(await carts.find(cart.id, { principal: 'alice' })).toEqual({ status: 'expired' });
  for (const principal of ['bob', null]) expect(await carts.find(cart.id, { principal })).toBeUndefined();
  clock.now += 1;
  expect(await carts.find(cart.id, { principal: 'alice' })).toBeUndefined();
});

it('use renews a session with a grace, up to its longest life', async () => {
  const { store, clock, calls } = await open();
  const carts = store.ofKind('cart', { ttlMs: HOUR, maxLifetimeMs: 2 * HOUR, graceMs: 10 * HOUR });
  const { id } = await carts.create();
  calls.take();
  clock.now += 1_000;
  await carts.get(id);
  expect(calls.take()).toEqual(['readSession']);
  clock.now += HOUR - 2_000;
  const cart = await carts.get(id);
  expect(calls.take()).toEqual(['readSession', 'touchSession']);
  expect([cart?.lastActiveAt, cart?.expiresAt]).toEqual([clock.now, START + 2 * HOUR - 1_000]);
  clock.now = START + 1.5 * HOUR;
  await cart?.state.set('a', 1);
  clock.now = START + 2 * HOUR - 1;
  expect(await carts.get(id)).toBeDefined();
  clock.now += 1;
  expect(await carts.find(id)).toEqual({ status: 'expired' });
});

it('an ended session of a kind with a grace is unknown, and goes with the sweeps as any other', async () => {
  const { store, clock } = await open({ tombstoneMs: 1_000 });
  const carts = store.ofKind('cart', { ttlMs: HOUR, graceMs: 10 * HOUR });
  const [kept, gone] = [await carts.create(), await carts.create()];
  expect([await kept.end(), await gone.end({ keepId: false })]).toEqual([true, true]);
  expect([await carts.find(kept.id), await carts.find(gone.id)]).toEqual([undefined, undefined]);
  await store.sweep();
  await carts.create({ id: gone.id });
  await expect(carts.create({ id: kept.id })).rejects.toMatchObject({ code: 'SESSION_EXISTS' });
  clock.now += 10 * HOUR + 1_000;
  await store.sweep();
  await carts.create({ id: kept.id });
});

it('options are checked where the kind is named', async () => {
  const { store } = await open();
  expect(() => store.ofKind('Cart')).toThrow(expect.objectContaining({ code: 'INVALID_KIND' }));
  // @ts-expect-error: the name is wrong
  expect(() => store.ofKind('cart', { ttl: 1 })).toThrow('Unknown option ttl of ofKind; did you mean ttlMs?');
  expect(() => store.ofKind('cart', { graceMs: -1 })).toThrow('Option graceMs is -1');
  // @ts-expect-error: schemas have keys
  expect(() => store.ofKind('cart', { state: [z.string()] })).toThrow('Option state is an array');
});

it('the kind is not an option of its own sessions, and their options are checked as those of the store', async () => {
  const { store, calls } = await open();
  const carts = store.ofKind('cart');
  const methods: Record<string, (options: never) => Promise<unknown>> = {
    create: (options) => carts.create(options),
    get: (options) => carts.get('any', options),
    find: (options) => carts.find('any', options),
    list: (options) => carts.list(options),
    count: (options) => carts.count(options),
  };

  for (const [name, call] of Object.entries(methods)) {
    await expect(call({ kind: 'x' } as never)).rejects.toThrow(
      new TypeError(`Option kind of ${name} is set by ofKind('cart'); leave it out`),
    );
    await expect(call('alice' as never)).rejects.toThrow(`Options of ${name} are a string, not an object`);
    await expect(call(null as never)).rejects.toThrow(`Options of ${name} are null, not an object`);
    await expect(call({ principal: undefined } as never)).rejects.toThrow(`Option principal of ${name} is undefined`);
  }
  expect(calls.take()).toEqual([]);
});
