import { describe, expect, it } from 'vitest';
import { codeOf, collect } from './support/errors.ts';
import { open } from './support/open.ts';

describe('store.endAll', () => {
  it('ends every session of the principal, over any number of pages, and no other', async () => {
    const { store } = await open();
    for (let count = 0; count < 230; count++) await store.create({ principal: 'alice' });
    const others = [
      await store.create({ principal: 'bob' }),
      await store.create(),
      await store.create({ principal: 'alice', kind: 'node' }),
    ];

    expect(await store.endAll({ principal: 'alice' })).toBe(230);

    expect(await store.count({ principal: 'alice' })).toBe(0);
    for (const { id } of others) expect((await store.inspect(id))?.id).toBe(id);
    expect(await store.endAll({ principal: 'alice' })).toBe(0);
    expect(await store.endAll({ principal: 'alice', kind: 'node' })).toBe(1);
    expect(await store.endAll({ principal: null })).toBe(1);
  });

  it('ends tails of these sessions and keeps their ids taken', async () => {
    const { store } = await open();
    const { id, events } = await store.create({ principal: 'alice' });
    const tail = collect(events.tail({ onCaughtUp: () => void store.endAll({ principal: 'alice' }) }));

    expect(await tail).toEqual([]);
    expect(await codeOf(() => store.create({ id }))).toBe('SESSION_EXISTS');
  });

  it('leaves ids free if asked to', async () => {
    const { store } = await open();
    await store.create({ id: 'a', principal: 'alice' });

    await store.endAll({ principal: 'alice', keepId: false });

    expect((await store.create({ id: 'a' })).id).toBe('a');
  });

  it('counts only the sessions that it has ended itself', async () => {
    const { store } = await open();
    for (let count = 0; count < 50; count++) await store.create({ principal: 'alice' });

    const counts = await Promise.all([1, 2, 3].map(() => store.endAll({ principal: 'alice' })));

    expect(counts.reduce((sum, count) => sum + count)).toBe(50);
  });

  it('refuses a missing principal and unknown options', async () => {
    const { store } = await open();
    const endAll = (options: object) => codeOf(() => store.endAll(options as { principal: string }));

    expect(await endAll({})).toBe('TypeError');
    expect(await endAll({ principal: undefined })).toBe('TypeError');
    expect(await endAll({ principal: 'a', tombstone: true })).toBe('TypeError');
    expect(await endAll({ principal: '' })).toBe('INVALID_PRINCIPAL');
    expect(await endAll({ principal: 'a', kind: 'A' })).toBe('INVALID_KIND');
  });
});
