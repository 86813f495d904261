import { REMOVE, type Session, type SessionStore } from '@mcp-session/core';
import { createSessionStore, type SessionBackend } from '@mcp-session/core/backend';
import { createEventStore } from '@mcp-session/core/event-store';
import { defineHandle } from '@mcp-session/core/handles';
import { createMemoryBackend } from '@mcp-session/core/memory';
import { createRequestState } from '@mcp-session/core/request-state';
import { transportOf } from '@mcp-session/core/transport';
import { describe, expect, it } from 'vitest';
import { errorOf } from './support/errors.ts';
import { open } from './support/open.ts';

describe('a function that is given something else', () => {
  it.each<[string, unknown, string]>([
    ['nothing', undefined, 'is undefined, not a backend'],
    ['an object', {}, 'is an object, not a backend'],
    ['a promise', Promise.resolve(createMemoryBackend()), 'is a promise, not a backend: await it first'],
    ['a part of a backend', { ...partial(), migrate: undefined }, 'lacks the methods migrate'],
  ])('createSessionStore: %s as the backend', async (_, backend, words) => {
    expect(await errorOf(() => createSessionStore(backend as SessionBackend))).toEqual(
      new TypeError(`Backend of createSessionStore ${words}`),
    );
  });

  it('createSessionStore: a store, and a backend without a name or capabilities', async () => {
    const { store } = await open();

    expect(await errorOf(() => createSessionStore(store as unknown as SessionBackend))).toEqual(
      new TypeError('Backend of createSessionStore is a session store, which has a backend already'),
    );
    expect(await errorOf(() => createSessionStore({ ...partial(), name: 5 } as never))).toEqual(
      new TypeError('Name of the backend is a number, not a string'),
    );
    expect(await errorOf(() => createSessionStore({ ...partial(), capabilities: null } as never))).toEqual(
      new TypeError('Capabilities of the backend are null, not an object'),
    );
  });

  it.each(['readChangeMarker', 'watch', 'identifyProcess', 'findEndedProcesses', 'diagnose'])(
    'createSessionStore: a backend whose %s is not a function',
    async (method) => {
      expect(await errorOf(() => createSessionStore({ ...partial(), [method]: true } as never))).toEqual(
        new TypeError(`Method ${method} of the backend is a boolean, not a function`),
      );
    },
  );

  it.each<[string, (store: never) => unknown]>([
    ['defineHandle', (store) => defineHandle(store, { name: 'cart' })],
    ['createRequestState', (store) => createRequestState(store, { keys: [], principal: () => null })],
  ])('%s: no store', async (name, call) => {
    for (const [given, words] of [
      [undefined, 'is undefined, not a session store'],
      [createMemoryBackend(), 'is an object of class MemoryBackend, not a session store'],
      [Promise.resolve({}), 'is a promise, not a session store: await it first'],
    ] as const) {
      expect(await errorOf(async () => call(given as never))).toEqual(new TypeError(`Store of ${name} ${words}`));
    }
  });

  it('no session', async () => {
    const { store } = await open();
    const carts = defineHandle(store, { name: 'cart' });

    for (const [given, words] of [
      [undefined, 'is undefined, not a session'],
      [{ id: 'a', principal: null }, 'is an object, not a session'],
      [store.create(), 'is a promise, not a session'],
    ] as const) {
      const message = expect.stringContaining(words) as string;
      const expected = { name: 'TypeError', message };
      expect(await errorOf(() => carts.of(given as Session))).toMatchObject(expected);
      expect(await errorOf(async () => transportOf(given as Session))).toMatchObject(expected);
      expect(await errorOf(async () => createEventStore(given as Session))).toMatchObject(expected);
    }
  });

  it.each<[string, string, (session: Session, store: SessionStore, change: never) => Promise<unknown>]>([
    ['state.update', 'update', ({ state }, _, change) => state.update('k', change)],
    ['a user record', 'update', (_, store, change) => store.forPrincipal('a').state.update('k', change)],
    ['updateMetadata', 'updateMetadata', (session, _, change) => session.updateMetadata(change)],
    ['updateTransport', 'updateTransport', (session, _, change) => transportOf(session).updateTransport(change)],
  ])('%s: no function', async (_, method, call) => {
    const { store, calls } = await open();
    const session = await store.create();
    calls.take();

    for (const [change, kind] of [
      [5, 'a number'],
      [{ a: 1 }, 'an object'],
      [undefined, 'undefined'],
    ] as const) {
      expect(await errorOf(() => call(session, store, change as never))).toEqual(
        new TypeError(`Argument change of ${method} is ${kind}, not a function`),
      );
    }
    expect(calls.take()).toEqual([]);
  });

  it('state.patch: a list of something else than pairs', async () => {
    const { state } = await (await open()).store.create();

    for (const [changes, kind] of [
      [['a', 1], 'a string'],
      [['ab', 'cd'], 'a string'],
      [new Set([1]), 'a number'],
      [[{ op: 'add', path: '/a', value: 1 }], 'an object'],
    ] as const) {
      expect(await errorOf(() => state.patch(changes as never))).toEqual(
        new TypeError(`Changes of a patch hold ${kind}, not a pair; give an object, or a list of [key, value]`),
      );
    }
    await state.patch([['a', 1]]);
    expect(await state.get('a')).toBe(1);
  });

  it('state.set: REMOVE', async () => {
    const { state } = await (await open()).store.create();

    for (const call of [() => state.set('a', REMOVE), () => state.compareAndSet('a', REMOVE, 0)]) {
      expect(await errorOf(call)).toMatchObject({
        code: 'NOT_JSON',
        message: 'Value of state key "a" is REMOVE; call state.remove(key)',
      });
    }
  });

  it('a request state without the context of a request', async () => {
    const { store } = await open();
    const keys = [{ id: 'a', secret: 'x'.repeat(32) }];
    const states = createRequestState(store, { keys, principal: () => null });

    for (const context of [undefined, {}]) {
      const words = `is ${context === undefined ? 'undefined' : 'an object'}, not what SDK v2 passes to a handler`;
      expect(await errorOf(() => states.mint(1, context as never))).toEqual(new TypeError(`Context of mint ${words}`));
      expect(await errorOf(() => states.verify('x', context as never))).toEqual(
        new TypeError(`Context of verify ${words}`),
      );
    }
  });
});

/** The methods of a backend that do nothing. */
function partial(): object {
  const names = Object.getOwnPropertyNames(Object.getPrototypeOf(createMemoryBackend()) as object);
  const methods = Object.fromEntries(names.map((name) => [name, async () => undefined]));
  return { ...methods, constructor: Object, name: 'partial', capabilities: {} };
}
