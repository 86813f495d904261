import { REMOVE } from '@mcp-session/core';
import * as fc from 'fast-check';
import * as z from 'zod';
import { describe, expect, it } from 'vitest';
import { codeOf, errorOf } from '../support/errors.ts';
import { open } from '../support/open.ts';

const ODD = [
  '__proto__',
  'constructor',
  'toString',
  'hasOwnProperty',
  'then',
  'a.b.c',
  '"',
  "'",
  '`${a}`',
  ' ',
  'a b',
  '\0',
  'a\0b',
  '\n',
  '😀',
  'é',
  'e\u0301',
  '$',
  '%',
  '_',
  '\\',
  '0',
  'a'.repeat(255),
  '€'.repeat(85),
];

describe('state keys', () => {
  it.each(ODD)('can be %j', async (key) => {
    const { state } = await (await open()).store.create();

    expect(await state.get(key)).toBeUndefined();
    await state.set(key, 'set');
    expect(await state.get(key)).toBe('set');
    await state.patch(new Map([[key, 'patched']]));
    expect(await state.update(key, (current) => `${String(current)} updated`)).toBe('patched updated');
    expect(await state.keys()).toEqual([key]);
    expect([...(await state.entries())]).toEqual([[key, 'patched updated']]);
    expect(await state.remove(key)).toBe(true);
    expect(await state.get(key)).toBeUndefined();
  });

  it('are compared byte by byte', async () => {
    const { state } = await (await open()).store.create();

    for (const key of ODD) await state.set(key, key);

    expect(await state.keys()).toEqual(ODD.toSorted());
    for (const key of ODD) expect(await state.get(key)).toBe(key);
  });

  it.each([
    ['empty', ''],
    ['256 bytes', 'a'.repeat(256)],
    ['258 bytes in 86 characters', '€'.repeat(86)],
    ['a lone surrogate', '\ud800'],
    ['a lone surrogate in between', 'a\udc00b'],
    ['a number', 5],
    ['a symbol', Symbol('a')],
    ['undefined', undefined],
    ['an object', { toString: () => 'a' }],
  ])('cannot be malformed: %s', async (_what, given) => {
    const { state } = await (await open()).store.create();
    const key = given as string;

    for (const use of [
      () => state.get(key),
      () => state.getEntry(key),
      () => state.set(key, 1),
      () => state.compareAndSet(key, 1, 0),
      () => state.update(key, () => 1),
      () => state.remove(key),
      () => state.patch([[key, 1]]),
      () => state.patch([[key, REMOVE]]),
    ]) {
      expect(await codeOf(use)).toBe('INVALID_STATE_KEY');
    }
    expect(await state.keys()).toEqual([]);
  });

  it('are cut when a message quotes them', async () => {
    const { state } = await (await open()).store.create();

    const error = (await errorOf(() => state.get(`${'\n'.repeat(3)}${'a'.repeat(10_000)}`))) as Error;

    expect(error.message).toContain('\\n\\n\\naaa');
    expect(error.message.length).toBeLessThan(250);
  });

  it('can be any well-formed text of 1 to 255 bytes, and nothing else', async () => {
    const { state } = await (await open()).store.create();
    const part = fc.constantFrom('', 'a', '\0', '\ud800', '\udc00', '😀', '€'.repeat(42), 'b'.repeat(127));
    const key = fc.array(part, { maxLength: 4 }).map((parts) => parts.join(''));

    await fc.assert(
      fc.asyncProperty(key, async (text) => {
        const valid = text !== '' && text.isWellFormed() && Buffer.byteLength(text) <= 255;
        expect(await codeOf(() => state.set(text, 1))).toBe(valid ? 'none' : 'INVALID_STATE_KEY');
        if (valid) expect(await state.remove(text)).toBe(true);
      }),
    );
  });
});

describe('keys that objects inherit', () => {
  it('are undeclared unless the schema has them as own properties', async () => {
    const { store } = await open({ state: { count: z.number() } });
    const state = (await store.create()).state as unknown as {
      get(key: string): unknown;
      set(key: string, value: unknown): unknown;
    };

    for (const key of ['constructor', 'toString', '__proto__', 'hasOwnProperty']) {
      expect(await codeOf(() => state.get(key))).toBe('STATE_KEY_UNDECLARED');
      expect(await codeOf(() => state.set(key, 1))).toBe('STATE_KEY_UNDECLARED');
    }
  });

  it('can be declared', async () => {
    const { store } = await open({
      state: { constructor: z.number(), toString: z.string(), ['__proto__']: z.boolean() },
    });
    const { state } = await store.create();

    await state.set('constructor', 1);
    await state.patch([['toString', 'text']]);
    await state.set('__proto__', true);

    expect(await state.get('constructor')).toBe(1);
    expect(await state.get('toString')).toBe('text');
    expect(await state.get('__proto__')).toBe(true);
    expect(await codeOf(() => state.set('constructor', 'x' as unknown as number))).toBe('INVALID_STATE_VALUE');
  });
});
