import { REMOVE } from '@mcp-session/core';
import { kindOf } from '@mcp-session/core/backend';
import { describe, expect, it } from 'vitest';
import { codeOf, errorOf } from '../support/errors.ts';
import { open } from '../support/open.ts';

describe('session.state', () => {
  it('distinguishes null from an absent key', async () => {
    const { state } = await (await open()).store.create();

    await state.set('null', null);

    expect(await state.get('null')).toBeNull();
    expect(await state.getEntry('null')).toEqual({ value: null, version: 1 });
    expect(await state.get('absent')).toBeUndefined();
    expect(await state.getEntry('absent')).toBeUndefined();
    expect(await state.keys()).toEqual(['null']);
  });

  it('returns versions that grow and never repeat, also after a removal or a clear', async () => {
    const { state } = await (await open()).store.create();
    const versions: (number | undefined)[] = [];

    versions.push(await state.set('a', 1));
    await state.remove('a');
    versions.push(await state.set('a', 2));
    await state.clear();
    await state.clear();
    versions.push(await state.set('a', 3));
    await state.patch({ a: 4, b: 5 });
    versions.push((await state.getEntry('a'))?.version);
    expect((await state.getEntry('b'))?.version).toBe(versions.at(-1));
    versions.push(await state.compareAndSet('b', 6, versions.at(-1) ?? 0));

    expect(versions).toEqual([...new Set(versions)].toSorted((a, b) => Number(a) - Number(b)));
  });

  it('says whether a removal removed a key, and how many keys a clear removed', async () => {
    const { state } = await (await open()).store.create();
    await state.patch({ a: 1, b: 2, c: null });

    expect(await state.remove('a')).toBe(true);
    expect(await state.remove('a')).toBe(false);
    expect(await state.remove('never')).toBe(false);
    expect(await state.clear()).toBe(2);
    expect(await state.clear()).toBe(0);
    expect(await state.keys()).toEqual([]);
  });

  it('lists keys and entries in the order of their UTF-16 code units', async () => {
    const { state } = await (await open()).store.create();
    const keys = ['b', 'a', 'B', '\uffee', '😀', 'é', '10', '9', '\0'];
    for (const key of keys) await state.set(key, key);

    expect(await state.keys()).toEqual(keys.toSorted());
    expect([...(await state.entries())]).toEqual(keys.toSorted().map((key) => [key, key]));
  });

  it('gives each read a value of its own', async () => {
    const { state } = await (await open()).store.create();
    const given = { list: [1] };
    await state.set('a', given);
    given.list.push(2);
    const read = (await state.get('a')) as typeof given;
    read.list.push(3);

    expect(await state.get('a')).toEqual({ list: [1] });
  });

  it('keeps sessions apart', async () => {
    const { store } = await open();
    const [a, b] = [await store.create(), await store.create()];

    await a.state.set('key', 'a');
    await b.state.set('key', 'b');
    await b.state.clear();

    expect(await a.state.get('key')).toBe('a');
  });
});

describe('compareAndSet', () => {
  it('writes if the version is the expected one; 0 means that the key must not exist', async () => {
    const { state } = await (await open()).store.create();

    const first = await state.compareAndSet('a', 1, 0);
    expect(await state.getEntry('a')).toEqual({ value: 1, version: first });
    expect(await state.compareAndSet('a', 2, first)).toBeGreaterThan(first);
    await state.remove('a');
    expect(await state.compareAndSet('a', 3, 0)).toBeGreaterThan(first);
  });

  it('fails with the current version and changes nothing', async () => {
    const { state } = await (await open()).store.create();
    const first = await state.set('a', 1);
    const second = await state.set('a', 2);

    expect(await errorOf(() => state.compareAndSet('a', 3, first))).toMatchObject({
      name: 'StateConflictError',
      code: 'STATE_CONFLICT',
      key: 'a',
      currentVersion: second,
      message: `State key "a" has version ${second}, not the expected ${first}`,
    });
    expect(await errorOf(() => state.compareAndSet('a', 3, 0))).toMatchObject({ currentVersion: second });
    expect(await errorOf(() => state.compareAndSet('b', 3, 7))).toMatchObject({ currentVersion: 0 });
    expect([...(await state.entries())]).toEqual([['a', 2]]);
  });

  it.each([-1, 1.5, Number.NaN, 2 ** 53, undefined, '1', null])('refuses %s as a version', async (version) => {
    const { state } = await (await open()).store.create();

    expect(await codeOf(() => state.compareAndSet('a', 1, version as number))).toBe('RangeError');
  });

  it('lets exactly one of many concurrent calls with the same expectation win', async () => {
    const { state } = await (await open()).store.create();

    const outcomes = await Promise.all(
      Array.from({ length: 20 }, (_, n) => codeOf(() => state.compareAndSet('a', n, 0))),
    );

    expect(outcomes.filter((outcome) => outcome === 'none')).toHaveLength(1);
    expect(outcomes.filter((outcome) => outcome === 'STATE_CONFLICT')).toHaveLength(19);
  });
});

describe('patch', () => {
  it('writes and removes, from an object, a map, or pairs', async () => {
    const { state } = await (await open()).store.create();

    await state.patch({ a: 1, b: 2 });
    await state.patch({ a: REMOVE, c: 3 });
    await state.patch(new Map([['__proto__', 4]]));
    await state.patch([
      ['d', 5],
      ['d', 6],
      ['never', REMOVE],
    ]);

    expect([...(await state.entries())]).toEqual([
      ['__proto__', 4],
      ['b', 2],
      ['c', 3],
      ['d', 6],
    ]);
  });

  it('writes all or nothing', async () => {
    const { state } = await (await open({ stateLimits: { maxKeys: 3 } })).store.create();
    await state.set('a', 1);

    const refused: [string, Record<string, unknown>][] = [
      ['NOT_JSON', { a: 2, b: Number.NaN }],
      ['NOT_JSON', { a: REMOVE, b: undefined }],
      ['INVALID_STATE_KEY', { a: 2, '': 1 }],
      ['STATE_LIMIT_EXCEEDED', { a: 2, b: 1, c: 1, d: 1 }],
      ['STATE_VALUE_TOO_LARGE', { a: 2, b: 'x'.repeat(1_048_576) }],
    ];
    for (const [code, changes] of refused) expect(await codeOf(() => state.patch(changes))).toBe(code);

    expect([...(await state.entries())]).toEqual([['a', 1]]);
  });

  it('accepts 64 keys and 2 MiB, and no more', async () => {
    const { state } = await (await open()).store.create();
    const keys = (count: number): Record<string, number> =>
      Object.fromEntries(Array.from({ length: count }, (_, index) => [`k${index}`, index]));
    const half = 'x'.repeat(1_048_576 - 3);

    await state.patch(keys(64));
    expect(await codeOf(() => state.patch(keys(65)))).toBe('STATE_LIMIT_EXCEEDED');
    await state.patch({ a: half, b: half });
    expect(await codeOf(() => state.patch({ a: half, b: `${half}x` }))).toBe('STATE_LIMIT_EXCEEDED');
    expect(await state.keys()).toHaveLength(66);
  });

  it('is seen whole or not at all', async () => {
    const { state } = await (await open()).store.create();
    await state.patch({ a: 0, b: 0 });

    const seen: Map<string, unknown>[] = [];
    await Promise.all([
      ...Array.from({ length: 20 }, (_, n) => state.patch({ a: n, b: n })),
      ...Array.from({ length: 20 }, async () => seen.push(await state.entries())),
    ]);

    expect(seen).toHaveLength(20);
    for (const entries of seen) expect(entries.get('a')).toBe(entries.get('b'));
  });

  it.each([null, undefined, 5, 'ab', new Date()])('refuses %s', async (changes) => {
    const { state } = await (await open()).store.create();

    expect(await errorOf(() => state.patch(changes as unknown as object))).toEqual(
      new TypeError(`Changes of a patch are ${kindOf(changes)}, not an object or a list of pairs`),
    );
  });
});
