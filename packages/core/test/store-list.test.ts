import { describe, expect, it } from 'vitest';
import { codeOf, errorOf } from './support/errors.ts';
import { open } from './support/open.ts';

describe('store.list and store.count', () => {
  it('show every live session once, over any number of pages, in the order of ids', async () => {
    const { store } = await open();
    const ids = Array.from({ length: 25 }, (_, index) => `s${index}`);
    for (const id of ids) await store.create({ id });

    const seen: string[] = [];
    const sizes: number[] = [];
    for (let cursor: string | undefined, first = true; first || cursor !== undefined; first = false) {
      const page = await store.list({ limit: 10, cursor });
      seen.push(...page.sessions.map(({ id }) => id));
      sizes.push(page.sessions.length);
      cursor = page.nextCursor;
    }

    expect(seen).toEqual(ids.toSorted());
    expect(sizes).toEqual([10, 10, 5]);
    expect(await store.count()).toBe(25);
  });

  it('give sessions that can be used', async () => {
    const { store } = await open();
    await store.create({ principal: 'alice', metadata: { plan: 'free' } });

    const [session] = (await store.list()).sessions;

    expect(session).toMatchObject({ principal: 'alice', metadata: { plan: 'free' } });
    expect(await session?.state.set('a', 1)).toBe(1);
  });

  it('distinguish kinds and principals', async () => {
    const { store } = await open();
    await store.create({ id: 'a', principal: 'alice' });
    await store.create({ id: 'b', principal: 'bob' });
    await store.create({ id: 'n' });
    await store.create({ id: 'node', kind: 'node' });
    const ids = async (options: Parameters<typeof store.list>[0]): Promise<string[]> =>
      (await store.list(options)).sessions.map(({ id }) => id);

    expect(await ids({})).toEqual(['a', 'b', 'n']);
    expect(await ids({ principal: null })).toEqual(['n']);
    expect(await ids({ principal: 'alice' })).toEqual(['a']);
    expect(await ids({ kind: 'node' })).toEqual(['node']);
    expect(await store.count({ principal: null })).toBe(1);
    expect(await store.count({ kind: 'node', principal: 'alice' })).toBe(0);
  });

  it('leave out expired and ended sessions, swept or not, and renew nothing', async () => {
    const { store, clock, calls } = await open({ ttlMs: 1_000, touchIntervalMs: 1 });
    await (await store.create()).end();
    await store.create();
    clock.now += 999;
    expect(await store.count()).toBe(1);
    expect((await store.list()).sessions).toHaveLength(1);
    clock.now += 1;

    expect(await store.count()).toBe(0);
    expect(await store.list()).toEqual({ sessions: [], nextCursor: undefined });
    expect(calls.count('touchSession')).toBe(0);
  });

  it('continue after a cursor whose session has ended', async () => {
    const { store } = await open();
    for (const id of ['a', 'b', 'c']) await store.create({ id });
    const { nextCursor } = await store.list({ limit: 2 });
    await (await store.get('b'))?.end();

    expect((await store.list({ cursor: nextCursor })).sessions.map(({ id }) => id)).toEqual(['c']);
  });

  it('refuse an invalid limit or cursor', async () => {
    const { store } = await open();

    for (const limit of [0, -1, 1.5, 1_001, Number.NaN]) {
      expect(await codeOf(() => store.list({ limit }))).toBe('RangeError');
    }
    for (const cursor of ['', 'a b', 5]) {
      expect(await errorOf(() => store.list({ cursor: cursor as string }))).toMatchObject({
        code: 'INVALID_SESSION_ID',
        message: `Cursor ${cursor === 5 ? '(a number)' : `"${cursor}"`} was not returned by list`,
      });
    }
  });
});
