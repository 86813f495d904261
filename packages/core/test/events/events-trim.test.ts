import { createMemoryBackend } from '@mcp-session/core/memory';
import { describe, expect, it } from 'vitest';
import { codeOf, collect } from '../support/errors.ts';
import { open, START } from '../support/open.ts';

/** Errors are looked at in `reports/background-errors.test.ts`. */
const ignored = (): void => undefined;

describe('events.trim', () => {
  it('removes the oldest by count', async () => {
    const { events } = await (await open()).store.create();
    for (let n = 1; n <= 5; n++) await events.append('s', n);

    expect(await events.trim({ maxEvents: 5 })).toBe(0);
    expect(await events.trim({ maxEvents: 3 })).toBe(2);
    expect((await collect(events.replay())).map(({ seq }) => seq)).toEqual([3, 4, 5]);
    expect(await events.trim({ maxEvents: 0 })).toBe(3);
    expect(await events.trim({ maxEvents: 0 })).toBe(0);
  });

  it('removes the oldest by bytes', async () => {
    const { events } = await (await open()).store.create();
    for (const size of [10, 20, 30]) await events.append('s', 'x'.repeat(size - 2));

    expect(await events.trim({ maxBytes: 60 })).toBe(0);
    expect(await events.trim({ maxBytes: 59 })).toBe(1);
    expect(await events.trim({ maxBytes: 31 })).toBe(1);
    expect(await events.trim({ maxBytes: 0 })).toBe(1);
  });

  it('removes the oldest by age', async () => {
    const { store, clock } = await open();
    const { events } = await store.create();
    for (let n = 1; n <= 3; n++) {
      await events.append('s', n);
      clock.now += 100;
    }

    expect(await events.trim({ maxAgeMs: 300 })).toBe(0);
    expect(await events.trim({ maxAgeMs: 299 })).toBe(1);
    expect(await events.trim({ maxAgeMs: 0 })).toBe(2);
    expect(clock.now).toBe(START + 300);
  });

  it('removes through an event, whatever its stream', async () => {
    const { events } = await (await open()).store.create();
    await events.append('a', 1);
    const through = await events.append('b', 2);
    await events.append('a', 3);

    expect(await events.trim({ through })).toBe(2);
    expect((await collect(events.replay())).map(({ message }) => message)).toEqual([3]);
    expect(await events.trim({ through })).toBe(0);
  });

  it('removes while any bound is exceeded, and nothing without a bound', async () => {
    const { events } = await (await open()).store.create();
    const ids: string[] = [];
    for (let n = 1; n <= 6; n++) ids.push(await events.append('s', n));

    expect(await events.trim({})).toBe(0);
    expect(await events.trim({ maxEvents: 5, maxBytes: 3, through: ids[0] ?? '' })).toBe(3);
  });

  it('never removes an event from the middle, even when the clock went back', async () => {
    const { store, clock } = await open();
    const { events } = await store.create();
    await events.append('s', 'young');
    clock.now -= 1_000;
    await events.append('s', 'old');
    clock.now += 1_000;

    expect(await events.trim({ maxAgeMs: 500 })).toBe(0);
    expect(await collect(events.replay())).toHaveLength(2);
  });

  it('trims a long log in steps, and never reuses a number', async () => {
    const { store, calls } = await open();
    const { events } = await store.create();
    await Promise.all(Array.from({ length: 2_500 }, () => events.append('s', 1)));
    calls.take();

    expect(await events.trim({ maxEvents: 0 })).toBe(2_500);
    expect(calls.count('trimEvents')).toBe(3);
    expect(await events.append('s', 1)).toMatch(/^2501\./);
  });

  it.each([-1, 1.5, Number.NaN, Infinity, '5', null])('refuses %s as a bound', async (value) => {
    const { events } = await (await open()).store.create();
    await events.append('s', 1);
    const expected = typeof value === 'number' ? 'RangeError' : 'TypeError';

    for (const name of ['maxEvents', 'maxBytes', 'maxAgeMs']) {
      expect(await codeOf(() => events.trim({ [name]: value }))).toBe(expected);
    }
    expect(await events.recent(1)).toHaveLength(1);
  });
});

describe('retention', () => {
  it('lets a log exceed its count by a tenth, then trims it to the bound', async () => {
    const { store, calls } = await open({ retention: { maxEvents: 100 } });
    const { events } = await store.create();
    for (let n = 1; n <= 110; n++) await events.append('s', n);
    expect(calls.count('trimEvents')).toBe(0);

    await events.append('s', 111);
    expect(await collect(events.replay())).toHaveLength(100);
    for (let n = 0; n < 999; n++) await events.append('s', n);

    // One for each tenth of the bound: 1 + 999 appends, a trim after every eleventh.
    expect(calls.count('trimEvents')).toBe(91);
    const kept = await collect(events.replay());
    expect(kept.length).toBeLessThanOrEqual(110);
    expect(kept.at(-1)?.seq).toBe(1_110);
  });

  it('does the same by bytes', async () => {
    const { store, calls } = await open({ retention: { maxBytes: 1_000 } });
    const { events } = await store.create();
    for (let n = 0; n < 11; n++) await events.append('s', 'x'.repeat(98));
    expect(calls.count('trimEvents')).toBe(0);

    await events.append('s', 'x'.repeat(98));

    expect(await collect(events.replay())).toHaveLength(10);
    expect(calls.count('trimEvents')).toBe(1);
    await events.append('s', 'x'.repeat(5_000));
    expect((await collect(events.replay())).map(({ seq }) => seq)).toEqual([]);
  });

  it('looks at the age of events when a tenth of it has passed, for each session', async () => {
    const { store, clock, calls } = await open({ retention: { maxAgeMs: 1_000 } });
    const [a, b] = [await store.create(), await store.create()];
    const appendAndLook = async ({ events }: typeof a, message: number): Promise<void> => {
      const looked = calls.next('trimEvents');
      await events.append('s', message);
      await looked;
    };
    await appendAndLook(a, 1);
    await appendAndLook(b, 1);
    calls.take();

    clock.now += 99;
    await a.events.append('s', 2);
    // It would wait for a look that the append before it caused.
    await a.events.append('s', 3);
    expect(calls.count('trimEvents')).toBe(0);
    clock.now += 1;
    await appendAndLook(a, 4);
    clock.now += 1_000;
    await appendAndLook(a, 5);

    expect((await collect(a.events.replay())).map(({ message }) => message)).toEqual([4, 5]);
    expect((await collect(b.events.replay())).map(({ message }) => message)).toEqual([1]);
  });

  it('does not fail an append when the trim fails, and tries again with the next', async () => {
    let failing = true;
    const { store, calls } = await open({ retention: { maxEvents: 1 }, onError: ignored }, (inner) => ({
      trimEvents: (sessionId, bound, now) =>
        failing ? Promise.reject(new Error('no connection')) : inner.trimEvents(sessionId, bound, now),
    }));
    const { events } = await store.create();

    await events.append('s', 1);
    const failed = calls.next('trimEvents', 'error');
    await events.append('s', 2);
    expect(await failed).toMatchObject({ code: 'STORE_FAILED' });
    failing = false;
    await events.append('s', 3);

    expect((await collect(events.replay())).map(({ message }) => message)).toEqual([3]);
  });

  it('by age is tried again too', async () => {
    let failing = true;
    const { store, clock, calls } = await open({ retention: { maxAgeMs: 1_000 }, onError: ignored }, (inner) => ({
      trimEvents: (sessionId, bound, now) =>
        failing ? Promise.reject(new Error('no connection')) : inner.trimEvents(sessionId, bound, now),
    }));
    const { events } = await store.create();

    const failed = calls.next('trimEvents', 'error');
    await events.append('s', 1);
    await failed;
    failing = false;
    clock.now += 1;
    const trimmed = calls.next('trimEvents', 'ok');
    await events.append('s', 2);

    expect(await trimmed).toMatchObject({ code: undefined });
  });

  it('trims a log that was already long in steps', async () => {
    const backend = createMemoryBackend();
    const before = await open({ backend });
    const after = await open({ backend, retention: { maxEvents: 10 } });
    const { id, events } = await before.store.create();
    await Promise.all(Array.from({ length: 2_500 }, (_, n) => events.append('s', n)));

    const session = (await after.store.get(id)) ?? expect.fail();
    await session.events.append('s', 'outgrown');
    // The next append of the session waits for the trims of the one before.
    await session.events.append('s', 'last');

    expect(await collect(session.events.replay())).toHaveLength(11);
    expect(after.calls.count('trimEvents')).toBe(3);
  });

  it.each([
    { name: 'asked for', retention: undefined },
    { name: 'of the retention', retention: { maxEvents: 500 } },
  ])('$name leaves the database to others between two of its steps', async ({ retention }) => {
    const steps: { readonly from: number; readonly to: number }[] = [];
    const { store, backend, clock } = await open({ ...(retention && { retention }) }, (inner) => ({
      async trimEvents(id, bound, now) {
        const from = performance.now();
        while (performance.now() - from < 10);
        const removed = await inner.trimEvents(id, bound, now);
        steps.push({ from, to: performance.now() });
        return removed;
      },
    }));
    const { id, events } = await store.create();
    const filling = Array.from({ length: 2_600 }, () => ({ streamId: 's', message: '1', bytes: 1 }));
    await backend.appendEvents([{ sessionId: id, token: 't', events: filling, expiresAt: undefined }], clock.now);

    if (retention === undefined) expect(await events.trim({ maxEvents: 500 })).toBe(2_100);
    else await events.append('s', 1);
    await events.append('s', 2);

    expect(steps).toHaveLength(3);
    for (const [index, { from }] of steps.slice(1).entries()) {
      expect(from - (steps[index]?.to ?? 0)).toBeGreaterThanOrEqual(9);
    }
  });
});
