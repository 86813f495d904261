import { REMOVE } from '@mcp-session/core';
import { createMemoryBackend } from '@mcp-session/core/memory';
import { expect, it } from 'vitest';
import { codeOf, errorOf } from '../support/errors.ts';
import { open } from '../support/open.ts';

const text = (bytes: number): string => 'x'.repeat(bytes - 2);

it('limits a value to 1 MiB of its JSON', async () => {
  const { state } = await (await open()).store.create();

  await state.set('a', text(1_048_576));
  expect(await errorOf(() => state.set('a', text(1_048_577)))).toMatchObject({
    code: 'STATE_VALUE_TOO_LARGE',
    message:
      'Value of 1048577 bytes of state key "a" exceeds the 1048576 bytes of the option stateLimits.maxValueBytes',
  });
  expect(await codeOf(() => state.update('a', () => text(1_048_577)))).toBe('STATE_VALUE_TOO_LARGE');
  expect(await codeOf(() => state.compareAndSet('b', text(1_048_577), 0))).toBe('STATE_VALUE_TOO_LARGE');
  expect(await state.get('a')).toHaveLength(1_048_574);
});

it('counts bytes of UTF-8, not characters', async () => {
  const { state } = await (await open({ stateLimits: { maxValueBytes: 8 } })).store.create();

  await state.set('a', '€€');
  expect(await codeOf(() => state.set('a', '€€€'))).toBe('STATE_VALUE_TOO_LARGE');
});

it('limits the number of keys, and allows removals', async () => {
  const { state } = await (await open({ stateLimits: { maxKeys: 2 } })).store.create();
  await state.patch({ a: 1, b: 2 });

  expect(await errorOf(() => state.set('c', 3))).toMatchObject({
    code: 'STATE_LIMIT_EXCEEDED',
    message: 'State would exceed the 2 keys of the option stateLimits.maxKeys',
    retryable: false,
  });
  await state.set('a', 4);
  await state.patch({ a: REMOVE, c: 5 });
  expect(await state.keys()).toEqual(['b', 'c']);
});

it('limits the bytes of all keys and values together', async () => {
  const { state } = await (await open({ stateLimits: { maxTotalBytes: 20 } })).store.create();

  await state.set('a', text(9));
  await state.set('b', text(9));
  expect(await errorOf(() => state.set('c', 1))).toMatchObject({
    code: 'STATE_LIMIT_EXCEEDED',
    message: 'State would exceed the 20 bytes of the option stateLimits.maxTotalBytes',
  });
  expect(await codeOf(() => state.set('a', text(10)))).toBe('STATE_LIMIT_EXCEEDED');
  await state.set('a', text(8));
  await state.remove('b');
  await state.set('c', 1);
  expect(await state.keys()).toEqual(['a', 'c']);
});

it('lets a state above a lowered limit only shrink', async () => {
  const backend = createMemoryBackend();
  const before = await open({ backend });
  const after = await open({ backend, stateLimits: { maxKeys: 2, maxTotalBytes: 10 } });
  const { id, state } = await before.store.create();
  await state.patch({ a: text(10), b: text(10), c: text(10) });

  const lowered = (await after.store.get(id))?.state ?? expect.fail();

  expect(await codeOf(() => lowered.set('a', text(11)))).toBe('STATE_LIMIT_EXCEEDED');
  expect(await codeOf(() => lowered.set('d', 1))).toBe('STATE_LIMIT_EXCEEDED');
  await lowered.set('a', text(9));
  await lowered.remove('b');
  expect(await lowered.clear()).toBe(2);
});

it('reports a conflict before a limit', async () => {
  const { state } = await (await open({ stateLimits: { maxKeys: 1 } })).store.create();
  await state.set('a', 1);

  expect(await codeOf(() => state.compareAndSet('b', 1, 5))).toBe('STATE_CONFLICT');
});
