import { REMOVE, type StandardSchema } from '@mcp-session/core';
import { createMemoryBackend } from '@mcp-session/core/memory';
import * as v from 'valibot';
import { describe, expect, it } from 'vitest';
import * as z from 'zod';
import { codeOf, errorOf } from '../support/errors.ts';
import { open, START } from '../support/open.ts';

const schemas = {
  zod: {
    count: z.number().int(),
    prefs: z.object({ theme: z.enum(['dark', 'light']), size: z.number().default(12) }),
    day: z.string().transform((text) => new Date(text)),
  },
  valibot: {
    count: v.pipe(v.number(), v.integer()),
    prefs: v.object({ theme: v.picklist(['dark', 'light']), size: v.optional(v.number(), 12) }),
    day: v.pipe(
      v.string(),
      v.transform((text) => new Date(text)),
    ),
  },
};

describe.each(['zod', 'valibot'] as const)('state declared with %s', (library) => {
  const declared = async (): Promise<Awaited<ReturnType<typeof openDeclared>>> => openDeclared();
  const openDeclared = () => open<(typeof schemas)['zod'] | (typeof schemas)['valibot']>({ state: schemas[library] });

  it('checks every write, and nothing that does not fit is written', async () => {
    const state = (await (await declared()).store.create()).state;
    const bad = 'x' as unknown as number;

    for (const use of [
      () => state.set('count', bad),
      () => state.compareAndSet('count', bad, 0),
      () => state.update('count', () => bad),
      () => state.patch({ count: bad }),
    ]) {
      const error = await errorOf(use);
      expect(error).toMatchObject({ name: 'StateValidationError', code: 'INVALID_STATE_VALUE', key: 'count' });
      expect((error as { issues: readonly unknown[] }).issues).toHaveLength(1);
    }
    expect(await state.keys()).toEqual([]);
  });

  it('does not show the value in the message', async () => {
    const state = (await (await declared()).store.create()).state;

    const error = await errorOf(() => state.set('count', 's3cret' as unknown as number));

    expect((error as Error).message).toBe(
      'Value of state key "count" does not fit its schema (1 issue, see error.issues)',
    );
    const nested = await errorOf(() => state.set('prefs', { theme: 's3cret' as 'dark', size: 1 }));
    expect((nested as Error).message).toBe(
      'Value of state key "prefs" does not fit its schema (1 issue at theme, see error.issues)',
    );
  });

  it('stores values as given, and applies transforms and defaults on reading', async () => {
    const { store, backend, clock } = await declared();
    const { id, state } = await store.create();

    await state.set('prefs', { theme: 'dark' });
    await state.set('day', '2026-01-02');

    expect(await state.get('prefs')).toEqual({ theme: 'dark', size: 12 });
    expect(await state.get('day')).toEqual(new Date('2026-01-02'));
    expect((await state.getEntry('day'))?.value).toBeInstanceOf(Date);
    expect((await state.entries()).get('day')).toBeInstanceOf(Date);
    expect((await backend.readState(id, ['prefs', 'day'], clock.now))?.map(({ value }) => value)).toEqual([
      '{"theme":"dark"}',
      '"2026-01-02"',
    ]);
  });

  it('passes an update the parsed value, stores its input, and returns the parsed result', async () => {
    const state = (await (await declared()).store.create()).state;
    await state.set('day', '2026-01-02');

    const day = await state.update('day', (current) => `${(current?.getUTCFullYear() ?? 0) + 1}-01-02`);

    expect(day).toEqual(new Date('2027-01-02'));
  });

  it('refuses undeclared keys, except to remove them', async () => {
    const { store, backend, clock } = await declared();
    const { id, state } = await store.create();
    const loose = state as unknown as {
      get(key: string): Promise<unknown>;
      set(key: string, value: unknown): Promise<unknown>;
      update(key: string, change: () => unknown): Promise<unknown>;
      patch(changes: object): Promise<unknown>;
    };
    await backend.commitState(
      {
        sessionId: id,
        writes: [{ key: 'old', value: '1', bytes: 4, expectedVersion: undefined }],
        limits: { maxKeys: 9, maxBytes: 99 },
        expiresAt: undefined,
      },
      clock.now,
    );

    for (const use of [
      () => loose.get('old'),
      () => loose.set('old', 1),
      () => loose.update('old', () => 1),
      () => loose.patch({ old: 1, count: 1 }),
    ]) {
      expect(await codeOf(use)).toBe('STATE_KEY_UNDECLARED');
    }
    expect(await state.keys()).toEqual(['old']);
    expect((await state.entries()).size).toBe(0);
    await loose.patch({ old: REMOVE, count: 1 });
    expect(await state.keys()).toEqual(['count']);
    expect(await state.remove('old')).toBe(false);
  });

  it('reports a stored value that no longer fits, and lets it be replaced or removed', async () => {
    const backend = createMemoryBackend();
    const before = await open({ backend });
    const { id } = await before.store.create();
    await (await before.store.get(id))?.state.patch({ count: 'many', prefs: { theme: 'dark' } });
    const after = await open({ backend, state: schemas[library] });
    const state = (await after.store.get(id))?.state ?? expect.fail();

    expect(await errorOf(() => state.get('count'))).toMatchObject({
      code: 'INVALID_STATE_VALUE',
      message:
        'Stored value of state key "count" does not fit its schema (1 issue, see error.issues); it was written under another one: set or remove the key, or let the schema take it',
    });
    expect(await codeOf(() => state.entries())).toBe('INVALID_STATE_VALUE');
    expect(await codeOf(() => state.update('count', (n = 0) => n + 1))).toBe('INVALID_STATE_VALUE');
    expect(await state.get('prefs')).toEqual({ theme: 'dark', size: 12 });
    await state.set('count', 1);
    expect(await state.get('count')).toBe(1);
  });
});

it('a date is stored as a text and read as a date, and a default is not read where nothing was set', async () => {
  const { store } = await open({ state: { at: z.coerce.date(), size: z.number().default(12) } });
  const { state } = await store.create();
  const date = new Date(START);
  await state.set('at', date.toISOString());

  expect(await state.get('at')).toEqual(date);
  expect(await state.get('size')).toBeUndefined();
});

describe('asynchronous schemas', () => {
  const even = {
    zod: z.number().refine(async (n) => Promise.resolve(n % 2 === 0)),
    valibot: v.pipeAsync(
      v.number(),
      v.checkAsync(async (n) => Promise.resolve(n % 2 === 0)),
    ),
  };

  it.each(['zod', 'valibot'] as const)('of %s are awaited', async (library) => {
    const { state } = await (await open({ state: { even: even[library] } })).store.create();

    expect(await codeOf(() => state.set('even', 1))).toBe('INVALID_STATE_VALUE');
    await state.set('even', 2);
    expect(await state.get('even')).toBe(2);
    expect(await codeOf(() => state.update('even', (n = 0) => n + 1))).toBe('INVALID_STATE_VALUE');
    expect(await Promise.all([2, 4, 6].map((by) => state.update('even', (n = 0) => n + by)))).toEqual([4, 8, 14]);
  });
});

describe('the option state', () => {
  it.each([5, null, {}, { '~standard': {} }, 'zod'])('refuses %j instead of a schema', async (schema) => {
    await expect(open({ state: { a: schema as StandardSchema } })).rejects.toThrow(
      new TypeError('Option state.a is not a Standard Schema'),
    );
  });

  const secret = new Error('threw: s3cret');
  const failing = {
    'throws, as zod does': z.number().transform(() => {
      throw secret;
    }),
    rejects: custom(async () => Promise.reject(secret)),
    'answers nothing': custom(() => undefined),
    'answers nothing later': custom(async () => undefined),
  };

  it.each(Object.entries(failing))('a schema that %s is an error with the key, on both ways', async (how, schema) => {
    const backend = createMemoryBackend();
    const { store } = await open({ backend, state: { a: schema } });
    const { id, state } = await store.create();
    const plain = (await (await open({ backend })).store.get(id))?.state ?? expect.fail();
    const expected = {
      name: 'StateValidationError',
      code: 'INVALID_STATE_VALUE',
      key: 'a',
      issues: [],
      message: 'Schema of state key "a" failed instead of saying whether a value fits',
      ...(['throws, as zod does', 'rejects'].includes(how) && { cause: secret }),
    };

    for (const use of [
      () => state.set('a', 1),
      () => state.compareAndSet('a', 1, 0),
      () => state.update('a', () => 1),
      () => state.patch({ a: 1 }),
    ]) {
      expect(await errorOf(use)).toMatchObject(expected);
    }
    expect(await state.keys()).toEqual([]);
    await plain.set('a', 1);
    for (const use of [() => state.get('a'), () => state.getEntry('a'), () => state.entries()]) {
      expect(await errorOf(use)).toMatchObject(expected);
    }
  });
});

it('a patch writes the values as given, even if the caller changes them during validation', async () => {
  const slow: StandardSchema = {
    '~standard': { version: 1, vendor: 'test', validate: async (value) => ({ value }) },
  };
  const { state } = await (await open({ state: { a: slow, b: slow } })).store.create();
  const b = { n: 1 };

  const patched = state.patch({ a: 0, b });
  b.n = 2;
  await patched;
  expect(await state.get('b')).toEqual({ n: 1 });

  // One that is refused at once leaves no other behind whose refusal nobody hears.
  const refusing: StandardSchema = {
    '~standard': { version: 1, vendor: 'test', validate: async () => ({ issues: [{ message: 'no' }] }) },
  };
  const other = (await (await open({ state: { a: refusing, b: slow } })).store.create()).state;
  expect(await codeOf(() => other.patch({ a: 0, b: Number.NaN }))).toBeOneOf(['NOT_JSON', 'INVALID_STATE_VALUE']);
});

/** A schema that answers whatever the function gives. */
function custom(validate: () => unknown): StandardSchema {
  return { '~standard': { version: 1, vendor: 'test', validate: validate as StandardSchema['~standard']['validate'] } };
}
