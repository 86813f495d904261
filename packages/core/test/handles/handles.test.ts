import { SessionError } from '@mcp-session/core';
import { defineHandle, handleErrorResult } from '@mcp-session/core/handles';
import { createMemoryBackend } from '@mcp-session/core/memory';
import { describe, expect, expectTypeOf, it } from 'vitest';
import * as z from 'zod';
import { open, START } from '../support/open.ts';

const HOUR = 3_600_000;

const codeOf = async (call: Promise<unknown>): Promise<unknown> =>
  call.then(
    () => 'resolved',
    (error: unknown) => (error instanceof SessionError ? error.code : error),
  );

describe('a handle', () => {
  it('keeps typed state for its owner, from its creation to its end', async () => {
    const { store, calls } = await open({ state: { count: z.number() } });
    const carts = defineHandle(store, { name: 'cart', state: { items: z.array(z.string()) } });
    const created = await carts.create('alice');
    expect(created.id).toMatch(/^cart_[A-Za-z0-9_-]{22}$/);
    await created.state.set('items', ['tea']);
    calls.take();

    const cart = await carts.open(created.id, 'alice');
    expect(calls.take()).toEqual(['readSession']);
    expectTypeOf(cart.state.get<'items'>).returns.resolves.toEqualTypeOf<string[] | undefined>();
    expect(await cart.state.get('items')).toEqual(['tea']);
    expect([cart.principal, cart.createdAt, cart.expiresAt]).toEqual(['alice', START, START + 24 * HOUR]);
    expect((await carts.list('alice')).handles.map(({ id }) => id)).toEqual([cart.id]);
    expect((await carts.list('bob')).handles).toEqual([]);
    expect([await carts.destroy(cart.id, 'bob'), await carts.destroy(cart.id, 'alice')]).toEqual([false, true]);
    expect([await cart.destroy(), await codeOf(carts.open(cart.id, 'alice'))]).toEqual([false, 'HANDLE_NOT_FOUND']);
  });

  it('is the same to a stranger as one that never was: in words, in calls, in 10,000 tries', async () => {
    const { store, calls } = await open();
    const [carts, lists] = [defineHandle(store, { name: 'cart' }), defineHandle(store, { name: 'list' })];
    const { id } = await carts.create('alice');
    const gone = await carts.create('bob');
    await gone.destroy();
    const hostile: unknown[] = [
      id.slice(0, -1),
      `${id}A`,
      id.toUpperCase(),
      ` ${id}`,
      `${id}\n`,
      id.replace('cart', 'list'),
      'cart_',
      'cart_?',
      '',
      '__proto__',
      '../../etc/passwd',
      '\0',
      '\ud800',
      'x'.repeat(10_000_000),
      gone.id,
      (await lists.create('bob')).id,
      (await store.create({ principal: 'bob' })).id,
      null,
      7,
      {},
      [id],
    ];
    calls.take();
    const answers = new Set<string>();
    for (const each of [id, ...hostile]) {
      const error = await carts.open(each as string, 'bob').catch((thrown: unknown) => thrown);
      expect(calls.take()).toEqual(['readSession']);
      answers.add(JSON.stringify([error, (error as Error).message]));
      expect(await carts.destroy(each as string, 'bob')).toBe(false);
      calls.take();
    }
    for (let n = 0; n < 10_000; n++) {
      const guess = `cart_${crypto.getRandomValues(Buffer.alloc(16)).toString('base64url')}`;
      answers.add(
        (await carts
          .open(guess, 'bob')
          .catch((error: unknown) => JSON.stringify([error, (error as Error).message]))) as string,
      );
    }
    expect([...answers]).toHaveLength(1);
    expect([...answers][0]).toContain('HANDLE_NOT_FOUND');
    expect(await carts.open(id, 'alice')).toBeDefined();
  });

  it('that has expired says so to its owner, for a while, and keeps nothing readable', async () => {
    const { store, clock } = await open();
    const carts = defineHandle(store, { name: 'cart', ttlMs: HOUR, maxLifetimeMs: 2 * HOUR, expiredMs: 5 * HOUR });
    const cart = await carts.create('alice');
    clock.now += HOUR - 1;
    await (await carts.open(cart.id, 'alice')).state.set('a', 1);
    clock.now = START + 1.5 * HOUR;
    await cart.state.set('a', 2);
    clock.now = START + 2 * HOUR - 1;
    expect((await carts.open(cart.id, 'alice')).expiresAt).toBe(START + 2 * HOUR);
    clock.now = START + 2 * HOUR;

    expect(await codeOf(carts.open(cart.id, 'alice'))).toBe('HANDLE_EXPIRED');
    for (const stranger of ['bob', null]) expect(await codeOf(carts.open(cart.id, stranger))).toBe('HANDLE_NOT_FOUND');
    expect(await codeOf(cart.state.get('a'))).toBe('SESSION_NOT_FOUND');
    expect(await carts.destroy(cart.id, 'alice')).toBe(false);
    expect((await carts.list('alice')).handles).toEqual([]);
    clock.now += 5 * HOUR - 1;
    await store.sweep();
    expect(await codeOf(carts.open(cart.id, 'alice'))).toBe('HANDLE_EXPIRED');
    clock.now += 1;
    expect(await codeOf(carts.open(cart.id, 'alice'))).toBe('HANDLE_NOT_FOUND');
  });

  it('without a principal is for anyone who has the id, for 24 hours at most, and on no list', async () => {
    const { store, clock } = await open();
    const carts = defineHandle(store, { name: 'cart', maxPerPrincipal: 1 });
    const [cart] = [await carts.create(null), await carts.create(null)];
    for (let hour = 1; hour < 24; hour++) {
      clock.now += HOUR;
      await (await carts.open(cart.id, hour % 2 === 0 ? null : 'bob')).state.set('a', hour);
    }
    clock.now += HOUR;
    expect(await codeOf(carts.open(cart.id, null))).toBe('HANDLE_EXPIRED');
    // @ts-expect-error: nobody has no list
    await expect(carts.list(null)).rejects.toThrow(/^Principal is null; give a string of 1 to 1024 bytes$/);
    // @ts-expect-error: a lookup that found nobody
    await expect(carts.create(undefined)).rejects.toThrow(
      new TypeError('Argument principal of cart.create is undefined; give null for nobody'),
    );
    // @ts-expect-error: a lookup that found nobody
    await expect(carts.open(cart.id, undefined)).rejects.toThrow('Argument principal of cart.open is undefined');
    // @ts-expect-error: a lookup that found nobody
    await expect(carts.destroy(cart.id)).rejects.toThrow('Argument principal of cart.destroy is undefined');
  });
});

describe('the quota of a principal', () => {
  it('holds when many create at once, counts only what is live, and is for each principal', async () => {
    const backend = createMemoryBackend();
    const stores = await Promise.all([open({ backend }), open({ backend }), open({ backend })]);
    const kinds = stores.map(({ store }) => defineHandle(store, { name: 'cart', maxPerPrincipal: 3, ttlMs: HOUR }));
    const carts = defineHandle(stores[0].store, { name: 'cart', ttlMs: HOUR, maxPerPrincipal: 3 });
    const results = await Promise.all(
      kinds.flatMap((kind) => Array.from({ length: 10 }, () => codeOf(kind.create('alice')))),
    );
    const made = results.filter((each) => each === 'resolved').length;
    expect(made).toBeLessThanOrEqual(3);
    expect(new Set(results)).toEqual(new Set([...(made > 0 ? ['resolved'] : []), 'HANDLE_LIMIT_REACHED']));
    expect((await carts.list('alice')).handles).toHaveLength(made);

    for (let n = made; n < 3; n++) await carts.create('alice');
    expect(await codeOf(carts.create('alice'))).toBe('HANDLE_LIMIT_REACHED');
    expect(await codeOf(carts.create('bob'))).toBe('resolved');
    await (await carts.list('alice')).handles[0]?.destroy();
    expect(await codeOf(carts.create('alice'))).toBe('resolved');
    for (const { clock } of stores) clock.now += HOUR;
    expect(await codeOf(carts.create('alice'))).toBe('resolved');
  });

  it('costs two listings, and a refusal writes nothing', async () => {
    const { store, calls } = await open();
    const carts = defineHandle(store, { name: 'cart', maxPerPrincipal: 1 });
    await carts.create('alice');
    expect(calls.take()).toEqual(['listSessions', 'createSession', 'listSessions']);
    await codeOf(carts.create('alice'));
    expect(calls.take()).toEqual(['listSessions']);
    await defineHandle(store, { name: 'list' }).create('alice');
    expect(calls.take()).toEqual(['createSession']);
  });
});

describe('the default handle of a session', () => {
  it('is one for all who ask at once, and stays when the session and its metadata change', async () => {
    const backend = createMemoryBackend();
    const stores = await Promise.all([open({ backend }), open({ backend })]);
    const { id } = await stores[0].store.create({ principal: 'alice' });
    const asked = await Promise.all(
      stores.flatMap(({ store }) =>
        Array.from({ length: 10 }, async () => {
          const session = await store.get(id, { principal: 'alice' });
          if (session === undefined) throw new Error('The session is live');
          const { id: cart } = await defineHandle(store, { name: 'cart' }).of(session);
          await session.updateMetadata(() => ({}));
          return cart;
        }),
      ),
    );
    expect(new Set(asked).size).toBe(1);
    const [{ store, calls }] = stores;
    const session = await store.get(id, { principal: 'alice' });
    if (session === undefined) throw new Error('The session is live');
    calls.take();
    const carts = defineHandle(store, { name: 'cart' });
    expect([(await carts.of(session)).id, calls.take()]).toEqual([asked[0], ['readSession']]);
    expect((await carts.list('alice')).handles).toHaveLength(1);
    expect((await defineHandle(store, { name: 'list' }).of(session)).id).toMatch(/^list_/);
    expect((await carts.of(session)).id).toBe(asked[0]);
  });

  it('is made anew when it has expired or was destroyed, and outlives the session', async () => {
    const { store, clock } = await open({ ttlMs: 100 * HOUR });
    const carts = defineHandle(store, { name: 'cart', ttlMs: HOUR });
    const session = await store.create({ principal: 'alice' });
    const first = await carts.of(session);
    clock.now += HOUR;
    const second = await carts.of(session);
    await second.destroy();
    const third = await carts.of(session);
    expect(new Set([first.id, second.id, third.id]).size).toBe(3);
    await session.end();
    expect((await carts.open(third.id, 'alice')).id).toBe(third.id);
    expect(await codeOf(defineHandle(store, { name: 'list' }).of(session))).toBe('SESSION_NOT_FOUND');
    expect((await defineHandle(store, { name: 'list' }).list('alice')).handles).toEqual([]);
    await expect(carts.of({ id: third.id, principal: 'alice' })).rejects.toThrow('Session is an object, not a session');
  });
});

it('a tool says how long a handle is kept, and renders its errors', async () => {
  const { store } = await open();
  expect(defineHandle(store, { name: 'cart' }).describe()).toBe(
    'The cart id works for the user who created it. The cart is kept for 24 hours after its last use.',
  );
  expect(defineHandle(store, { name: 'cart', ttlMs: 1_000, maxLifetimeMs: 30 * 24 * HOUR }).describe()).toMatch(
    /for 1 second after its last use, at most 30 days in all\.$/,
  );
  const carts = defineHandle(store, { name: 'cart' });
  expect(await carts.open('x', 'alice').catch(handleErrorResult)).toEqual({
    content: [{ type: 'text', text: 'The cart is unknown; create a new one' }],
    isError: true,
  });
  for (const other of [new Error('mine'), new SessionError('STORE_BUSY', 'Locked')]) {
    expect(() => handleErrorResult(other)).toThrow(other.message);
  }
});

it('a definition is checked where it is made', async () => {
  const { store } = await open();
  for (const name of ['session', 'user', 'task', 'platform-session', 'Cart', '', 'x'.repeat(65)]) {
    expect(() => defineHandle(store, { name })).toThrow(expect.objectContaining({ code: 'INVALID_KIND' }));
  }
  expect(() => defineHandle(store, { name: 'Cart' })).toThrow('Option name "Cart" does not match ^[a-z]');
  // @ts-expect-error: the name is missing
  expect(() => defineHandle(store, {})).toThrow(
    new TypeError('Option name of defineHandle is missing; give a lower-case word such as cart'),
  );
  expect(() => defineHandle(store, { name: 'cart', maxPerPrincipal: 0 })).toThrow('Option maxPerPrincipal is 0');
  // @ts-expect-error: the name is wrong
  expect(() => defineHandle(store, { name: 'cart', quota: 1 })).toThrow('did you mean maxPerPrincipal?');
});
