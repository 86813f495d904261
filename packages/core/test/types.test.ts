import type { REMOVE, SessionState, SessionStore, StateKey, StateSchemas } from '@mcp-session/core';
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

  expectTypeOf(store).toEqualTypeOf<SessionStore>();
  expectTypeOf(state).toEqualTypeOf<SessionState<StateSchemas>>();
  expectTypeOf(state.get<string>).returns.resolves.toBeAny();
  expectTypeOf<Parameters<typeof state.set>>().toEqualTypeOf<[key: string, value: unknown]>();
  expect(await state.update('visits', (n = 0) => n + 1)).toBe(1);
  await store.close();
});
