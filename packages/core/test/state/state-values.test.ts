import type { SessionState, StateSchemas } from '@mcp-session/core';
import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { codeOf, errorOf } from '../support/errors.ts';
import { open } from '../support/open.ts';

const state = async (): Promise<SessionState<StateSchemas>> => (await (await open()).store.create()).state;

class Prefs {
  readonly theme = 'dark';
}

const cycle: { self?: unknown } = {};
cycle.self = { deep: [cycle] };
const nested = (depth: number): unknown => JSON.parse('['.repeat(depth) + ']'.repeat(depth));
const getter = Object.defineProperty({}, 'a', {
  enumerable: true,
  get() {
    throw new Error('mine');
  },
});
const hidden = Object.defineProperty({ a: 1 }, 'toJSON', { value: () => 'replaced', enumerable: false });

describe('state values', () => {
  it.each([
    ['NaN', Number.NaN, 'NaN'],
    ['Infinity inside', [[-Infinity]], '-Infinity'],
    ['a BigInt', { n: 1n }, 'bigint'],
    ['a date', { at: new Date(0) }, 'an object of class Date'],
    ['a map', new Map([['a', 1]]), 'an object of class Map'],
    ['a set', new Set([1]), 'an object of class Set'],
    ['a typed array', new Uint8Array(2), 'an object of class Uint8Array'],
    ['an error', new Error('x'), 'an object of class Error'],
    ['a promise', Promise.resolve(1), 'an object of class Promise'],
    ['a boxed number', Object(5), 'an object of class Number'],
    ['an instance of a class', new Prefs(), 'an object of class Prefs'],
    ['an object with a strange prototype', Object.create({ constructor: 5 }), 'an object of class unknown'],
    ['a symbol', Symbol('x'), 'symbol'],
    ['a symbol as a key', { [Symbol('x')]: 1 }, 'symbol'],
    ['a function', () => 1, 'function'],
    ['a method', { run: () => 1 }, 'function'],
    ['a cycle', cycle, 'a cycle'],
    ['an array with properties', Object.assign([1], { extra: 2 }), 'an array with properties'],
    [
      'an array with a toJSON',
      Object.defineProperty([1], 'toJSON', { value: () => 'replaced' }),
      'an object with a method toJSON',
    ],
    ['a hidden toJSON', hidden, 'an object with a method toJSON'],
    ['1,001 levels', nested(1_001), 'more than 1000 levels'],
    ['100,000 levels', nested(100_000), 'more than 1000 levels'],
  ])('are refused where JSON would drop or change them: %s', async (_what, value, found) => {
    const values = await state();
    const { set, compareAndSet, keys } = bound(values);

    for (const use of [
      () => set('key', value),
      () => compareAndSet('key', value, 0),
      () => values.update('key', (): unknown[] => [value]),
    ]) {
      const error = (await errorOf(use)) as Error;
      expect(error).toMatchObject({ name: 'SessionError', code: 'NOT_JSON' });
      expect(error.message).toContain('"key"');
      expect(error.message).toContain(found);
    }
    expect(await keys()).toEqual([]);
  });

  it.each([
    [
      'a date',
      { user: { createdAt: new Date(0) } },
      'an object of class Date at user.createdAt; give its toISOString()',
    ],
    ['a map in an array', [0, new Map()], 'an object of class Map at [1]; give Object.fromEntries(map)'],
    ['a promise', { 'first name': Promise.resolve() }, 'an object of class Promise at ["first name"]; await it first'],
    ['a cycle', { deep: cycle }, 'a cycle at deep.self.deep[0]; refer to the object by an id'],
    ['a function', { a: [{ run: () => 1 }] }, 'a function at a[0].run; leave it out'],
    ['a BigInt', { id: 5n }, 'a bigint at id; give its toString()'],
    ['levels', { a: nested(2_000) }, `more than 1000 levels at a${'[0]'.repeat(33)}…; nest it less`],
    ['an address', { 'alice@a.example': 5n }, 'a bigint at ["…"]; give its toString()'],
    ['a long name', { ['n'.repeat(41)]: 5n }, 'a bigint at ["…"]; give its toString()'],
    ['a getter', getter, undefined],
  ])('are refused with the place and what to do: %s', async (_what, value, found) => {
    const message = ((await errorOf(async () => (await state()).set('k', value))) as Error).message;

    expect(message).toBe(
      found === undefined
        ? 'Value of state key "k" cannot be read'
        : `Value of state key "k" holds what JSON cannot hold: ${found}`,
    );
  });

  it('are refused if they are no JSON value', async () => {
    const { set, compareAndSet } = bound(await state());

    for (const use of [() => set('k', undefined), () => compareAndSet('k', undefined, 0)]) {
      expect(await errorOf(use)).toMatchObject({
        code: 'NOT_JSON',
        message: 'Value of state key "k" is undefined; give null, or remove the key',
      });
    }
  });

  it('lose properties that are undefined, as with JSON.stringify', async () => {
    const values = await state();
    const { set, get } = bound(values);
    const sparse = Object.assign(Array(3), { 0: 1, 2: 3 });

    await set('key', { a: { b: undefined, c: 1 }, d: [undefined, 2], e: sparse });

    expect(await get('key')).toStrictEqual({ a: { c: 1 }, d: [null, 2], e: [1, null, 3] });
    expect(await values.update('key', () => ({ gone: undefined }))).toStrictEqual({});
  });

  it('may hold shared objects without cycles, objects without a prototype, and 1,000 levels', async () => {
    const { set, get } = await state().then(bound);
    const shared = { a: 1 };

    await set('shared', [shared, shared]);
    await set('bare', Object.assign(Object.create(null) as object, { b: 1 }));
    await set('deep', nested(1_000));

    expect(await get('shared')).toEqual([shared, shared]);
    expect(await get('bare')).toEqual({ b: 1 });
    expect(JSON.stringify(await get('deep'))).toBe('['.repeat(1_000) + ']'.repeat(1_000));
  });

  it.each([
    '',
    '\0',
    '\ud800',
    'a\udfffb',
    '\u2028\u2029',
    '\ufeff',
    '😀',
    0,
    -1.5e-300,
    Number.MAX_VALUE,
    Number.MIN_VALUE,
    2 ** 53 + 2,
    true,
    false,
    null,
    [],
    {},
    { '': { '': '' } },
  ])('come back as they were: %j', async (value) => {
    const { set, get } = await state().then(bound);

    await set('key', value);

    expect(await get('key')).toStrictEqual(value);
  });

  it('keep a property called __proto__, and the prototype of nobody changes', async () => {
    const { set, get } = await state().then(bound);
    const value: unknown = JSON.parse('{"__proto__":{"polluted":true},"constructor":{"prototype":{"polluted":true}}}');

    await set('key', value);

    expect(JSON.stringify(await get('key'))).toBe(JSON.stringify(value));
    expect(({} as { polluted?: boolean }).polluted).toBeUndefined();
  });

  it('come back as JSON.stringify and JSON.parse would return them', async () => {
    const { set, get } = await state().then(bound);

    await fc.assert(
      fc.asyncProperty(fc.jsonValue(), async (value) => {
        await set('key', value);
        expect(await get('key')).toStrictEqual(JSON.parse(JSON.stringify(value)));
      }),
    );
  });

  it('are either refused or come back equal', async () => {
    const { set, get } = await state().then(bound);

    await fc.assert(
      fc.asyncProperty(
        fc.anything({
          withBigInt: true,
          withDate: true,
          withMap: true,
          withSet: true,
          withSparseArray: true,
          withTypedArray: true,
          withNullPrototype: true,
          withBoxedValues: true,
        }),
        async (value) => {
          const code = await codeOf(() => set('key', value));
          if (code === 'NOT_JSON') return;
          expect(code).toBe('none');
          // JSON has no negative zero of its own accord, and no objects without a prototype.
          expect(await get('key')).toEqual(JSON.parse(JSON.stringify(value)));
          expect(JSON.stringify(await get('key'))).toBe(JSON.stringify(value));
        },
      ),
      { numRuns: 200 },
    );
  });

  it('that another program has corrupted are reported as such', async () => {
    const { store, backend, clock } = await open();
    const session = await store.create();
    await backend.commitState(
      {
        sessionId: session.id,
        writes: [{ key: 'a', value: '{"cut', bytes: 6, expectedVersion: undefined }],
        limits: { maxKeys: 1, maxBytes: 10 },
        expiresAt: undefined,
      },
      clock.now,
    );

    const error = await errorOf(() => session.state.get('a'));

    expect(error).toMatchObject({ code: 'STORE_CORRUPT', message: 'Stored state value is not JSON' });
    expect(await codeOf(() => session.state.entries())).toBe('STORE_CORRUPT');
  });
});

function bound(
  of: SessionState<StateSchemas>,
): Pick<SessionState<StateSchemas>, 'get' | 'set' | 'compareAndSet' | 'keys'> {
  return {
    get: (key) => of.get(key),
    set: (key, value) => of.set(key, value),
    compareAndSet: (key, value, version) => of.compareAndSet(key, value, version),
    keys: () => of.keys(),
  };
}
