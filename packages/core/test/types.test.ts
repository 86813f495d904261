import {
  REMOVE,
  type Session,
  type SessionState,
  type SessionStore,
  type StateKey,
  type StateSchemas,
} from '@mcp-session/core';
import { createMemoryStore } from '@mcp-session/core/memory';
import * as v from 'valibot';
import { expect, expectTypeOf, it } from 'vitest';
import * as z from 'zod';

// The types are checked by the compiler; at run time these tests only hold that the stores work.

it('types state by the schemas that are declared', async () => {
  const store = await createMemoryStore({
    state: {
      count: z.number(),
      day: z.string().transform((text) => new Date(text)),
      prefs: v.object({ theme: v.picklist(['dark', 'light']), size: v.optional(v.number(), 12) }),
    },
  });
  const { state } = await store.create();
  type Schemas = typeof store extends SessionStore<infer S> ? S : never;
  type Prefs = { theme: 'dark' | 'light'; size: number };

  expectTypeOf<StateKey<Schemas>>().toEqualTypeOf<'count' | 'day' | 'prefs'>();
  expectTypeOf(state).toEqualTypeOf<SessionState<Schemas>>();
  expectTypeOf(state.get<'count'>).returns.resolves.toEqualTypeOf<number | undefined>();
  expectTypeOf(state.get<'day'>).returns.resolves.toEqualTypeOf<Date | undefined>();
  expectTypeOf(state.get<'prefs'>).returns.resolves.toEqualTypeOf<Prefs | undefined>();
  expectTypeOf<Parameters<typeof state.set<'day'>>[1]>().toEqualTypeOf<string>();
  expectTypeOf<Parameters<typeof state.set<'prefs'>>[1]>().toEqualTypeOf<{
    theme: 'dark' | 'light';
    size?: number | undefined;
  }>();
  expectTypeOf<Parameters<typeof state.update<'day'>>[1]>().toEqualTypeOf<
    (current: Date | undefined) => string | typeof REMOVE
  >();
  expectTypeOf(state.update('count', () => 1)).resolves.toEqualTypeOf<number>();
  expectTypeOf(state.update('count', (n = 0) => (n > 3 ? REMOVE : n + 1))).resolves.toEqualTypeOf<number | undefined>();
  // @ts-expect-error: nothing is returned
  await expect(state.update('count', () => {})).rejects.toThrow(TypeError);
  // @ts-expect-error: a promise is returned
  await expect(state.update('count', async () => 1)).rejects.toThrow(TypeError);

  // @ts-expect-error: not declared
  await expect(state.get('other')).rejects.toMatchObject({ code: 'STATE_KEY_UNDECLARED' });
  // @ts-expect-error: a number is asked for
  await expect(state.set('count', 'many')).rejects.toMatchObject({ code: 'INVALID_STATE_VALUE' });
  // @ts-expect-error: one of two words is asked for
  await expect(state.patch({ prefs: { theme: 'pink' } })).rejects.toMatchObject({ code: 'INVALID_STATE_VALUE' });
  await store.close();
});

it('leaves the types of values to the caller where none are declared', async () => {
  const store = await createMemoryStore();
  const { state } = await store.create();

  expectTypeOf(store).toEqualTypeOf<SessionStore<StateSchemas>>();
  expectTypeOf(state).toEqualTypeOf<SessionState<StateSchemas>>();
  expectTypeOf(state.get<string>).returns.resolves.toBeAny();
  expectTypeOf<Parameters<typeof state.set>>().toEqualTypeOf<[key: string, value: unknown]>();
  expect(await state.update('visits', (n = 0) => n + 1)).toBe(1);
  await store.close();
});

it('accepts a store with schemas as any store', async () => {
  const store = await createMemoryStore({
    state: { cart: z.object({ items: z.array(z.string()) }), count: z.number() },
  });
  const idsOf = async (any: SessionStore): Promise<string[]> => (await any.list()).sessions.map(({ id }) => id);
  const keysOf = (any: Session): Promise<string[]> => any.state.keys();
  const session = await store.create();
  await session.state.set('count', 1);

  expect(await idsOf(store)).toEqual([session.id]);
  expect(await keysOf(session)).toEqual(['count']);
  await store.close();
});
