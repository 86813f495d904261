import { REMOVE } from '@mcp-session/core';
import type { StateCommit } from '@mcp-session/core/backend';
import { createMemoryBackend } from '@mcp-session/core/memory';
import { describe, expect, it, onTestFinished, vi } from 'vitest';
import { codeOf, errorOf } from '../support/errors.ts';
import { open } from '../support/open.ts';

describe('state.update', () => {
  it('replaces a value with the result of the function, and returns the stored value', async () => {
    const { state } = await (await open()).store.create();

    expect(await state.update('notes', (all = []) => [...(all as string[]), 'one'])).toEqual(['one']);
    expect(await state.update('notes', (all = []) => [...(all as string[]), 'two'])).toEqual(['one', 'two']);
    expect(await state.get('notes')).toEqual(['one', 'two']);
  });

  it('removes a key when the function returns REMOVE', async () => {
    const { state } = await (await open()).store.create();
    await state.set('a', 1);

    expect(await state.update('a', () => REMOVE)).toBeUndefined();
    expect(await state.keys()).toEqual([]);
    expect(await state.update('a', (current) => current ?? REMOVE)).toBeUndefined();
    expect(await state.update('a', (current) => current ?? null)).toBeNull();
  });

  it('refuses a function that returns nothing, and changes nothing', async () => {
    const { state } = await (await open()).store.create();
    await state.set('cart', { items: ['tea'] });

    const changed = state.update('cart', ((cart: { items: string[] }) => {
      cart.items.push('milk');
    }) as never);

    await expect(changed).rejects.toThrow(
      new TypeError(
        'The function passed to update returned undefined; return the new value, even if you changed it in place, or REMOVE to remove the key',
      ),
    );
    expect(await state.get('cart')).toEqual({ items: ['tea'] });
    expect(await codeOf(() => state.set('cart', REMOVE))).toBe('NOT_JSON');
    expect(await codeOf(() => state.compareAndSet('cart', REMOVE, 1))).toBe('NOT_JSON');
  });

  it('loses none of 50 parallel increments', async () => {
    const { store, calls } = await open();
    const session = await store.create();
    calls.take();

    await Promise.all(Array.from({ length: 50 }, () => session.state.update('n', (n = 0) => Number(n) + 1)));

    expect(await session.state.get('n')).toBe(50);
    // In one process they stand in line, and none has to be tried twice.
    expect(calls.count('commitState')).toBe(50);
  });

  it('loses none of 100 from two independent stores on one backend', async () => {
    const backend = createMemoryBackend();
    const stores = [await open({ backend }), await open({ backend })];
    const { id } = await (stores[0]?.store ?? expect.fail()).create();
    const sessions = await Promise.all(stores.map(({ store }) => store.get(id)));

    await Promise.all(
      sessions.flatMap((session) =>
        Array.from({ length: 50 }, async (): Promise<unknown> => session?.state.update('n', (n = 0) => Number(n) + 1)),
      ),
    );

    expect(await sessions[0]?.state.get('n')).toBe(100);
  });

  it('keeps 200 keys of 200 parallel writers', async () => {
    const { state } = await (await open()).store.create();

    await Promise.all(
      Array.from({ length: 200 }, (_, n) => (n % 2 === 0 ? state.set(`k${n}`, n) : state.update(`k${n}`, () => n))),
    );

    const entries = await state.entries();
    expect(entries.size).toBe(200);
    for (let n = 0; n < 200; n++) expect(entries.get(`k${n}`)).toBe(n);
  });

  it('calls the function again with the newer value after a lost attempt, also against a removal', async () => {
    const { store, backend, clock } = await open();
    const { id, state } = await store.create();
    await state.set('a', 'first');
    const seen: unknown[] = [];
    const steal = (value: string | undefined): Promise<unknown> => backend.commitState(commit(id, value), clock.now);

    const value = await state.update('a', (current) => {
      seen.push(current);
      if (seen.length === 1) void steal('"stolen"');
      if (seen.length === 2) void steal(undefined);
      return `mine ${seen.length}`;
    });

    expect(seen).toEqual(['first', 'stolen', undefined]);
    expect(value).toBe('mine 3');
  });

  it('gives up after 200 lost attempts', async () => {
    const { store } = await open({}, (inner) => ({
      async commitState(request, now) {
        await inner.commitState(commit(request.sessionId, '0'), now);
        return inner.commitState(request, now);
      },
    }));
    const { state } = await store.create();
    let attempts = 0;
    // The pauses between attempts are random; here they are as short as can be.
    const random = vi.spyOn(Math, 'random').mockReturnValue(0);
    onTestFinished(() => random.mockRestore());

    const error = await errorOf(() => state.update('a', () => attempts++));

    expect(error).toMatchObject({ code: 'STATE_CONFLICT', key: 'a', currentVersion: 200 });
    expect(attempts).toBe(200);
  });

  it('refuses an asynchronous function, also one that rejects later, and writes nothing', async () => {
    const { state } = await (await open()).store.create();
    const later = async (): Promise<number> => 1;
    const never = (): Promise<number> => Promise.reject(new Error('later'));

    for (const change of [later, never]) {
      expect(await errorOf(() => state.update('a', change))).toMatchObject({
        name: 'TypeError',
        message: 'The function passed to update is asynchronous; await its inputs before you call update',
      });
    }
    expect(await state.keys()).toEqual([]);
  });

  it('rethrows what the function throws, and lets waiting updates continue', async () => {
    const { state } = await (await open()).store.create();
    const failing = state.update('a', () => {
      throw new Error('mine');
    });
    const next = state.update('a', () => 1);

    await expect(failing).rejects.toThrow('mine');
    expect(await next).toBe(1);
    expect(await codeOf(() => state.update('a', () => ({ at: new Date() })))).toBe('NOT_JSON');
    expect(await codeOf(() => state.update('', () => 1))).toBe('INVALID_STATE_KEY');
  });
});

function commit(sessionId: string, value: string | undefined): StateCommit {
  return {
    sessionId,
    writes: [{ key: 'a', value, bytes: value === undefined ? 0 : 1 + value.length, expectedVersion: undefined }],
    limits: { maxKeys: 10, maxBytes: 1_000 },
    expiresAt: undefined,
  };
}
