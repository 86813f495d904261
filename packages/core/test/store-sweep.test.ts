import { createMemoryBackend } from '@mcp-session/core/memory';
import { describe, expect, it, onTestFinished, vi } from 'vitest';
import { Rests } from '../src/lib/runtime/rests.ts';
import { Sweeper } from '../src/lib/runtime/sweeper.ts';
import { errorOf } from './support/errors.ts';
import { open } from './support/open.ts';

describe('store.sweep', () => {
  it('removes sessions that expired or ended long enough ago, and counts them', async () => {
    const { store, clock, backend } = await open({ ttlMs: 1_000, tombstoneMs: 2_000 });
    const live = await store.create({ ttlMs: 60_000 });
    await store.create({ id: 'expired' });
    await (await store.create({ id: 'ended' })).end();
    await live.state.set('a', 1);

    clock.now += 1_000;
    expect(await store.sweep()).toBe(1);
    clock.now += 1_000;
    expect(await store.sweep()).toBe(1);
    expect(await store.sweep()).toBe(0);
    expect(await live.state.get('a')).toBe(1);
    const row = { kind: 'session', principal: null, profile: '{}', expiresAt: clock.now + 1 };
    expect(await backend.createSession({ ...row, id: 'expired' }, clock.now)).toBe(true);
    expect(await backend.createSession({ ...row, id: 'ended' }, clock.now)).toBe(true);
  });

  it('removes at most as many rows per step as the option says', async () => {
    const limits: number[] = [];
    const { store, clock } = await open({ ttlMs: 1_000, sweep: { stepRows: 10, intervalMs: 1_000_000 } }, (inner) => ({
      async sweep(limit, now) {
        limits.push(limit);
        const result = await inner.sweep(limit, now);
        expect(result.ids.length).toBeLessThanOrEqual(10);
        return result;
      },
    }));
    for (let index = 0; index < 5; index++) {
      const session = await store.create();
      for (let key = 0; key < 7; key++) await session.state.set(`k${key}`, key);
      for (let event = 0; event < 7; event++) await session.events.append('s', event);
    }
    clock.now += 1_000;

    expect(await store.sweep()).toBe(5);
    expect(limits.length).toBeGreaterThanOrEqual(8);
    expect(new Set(limits)).toEqual(new Set([10]));
  });

  it('leaves the database to others between two steps for as long as the last one took', async () => {
    const steps: { readonly from: number; readonly to: number }[] = [];
    const { store } = await open({}, () => ({
      async sweep() {
        const from = performance.now();
        const tookMs = [1, 12, 5, 0][steps.length] ?? 0;
        while (performance.now() - from < tookMs);
        steps.push({ from, to: performance.now() });
        return { ids: [], done: steps.length === 4 };
      },
    }));

    await store.sweep();

    const rests = steps.slice(1).map(({ from }, index) => from - (steps[index]?.to ?? 0));
    // A timer may fire up to a millisecond early.
    for (const [index, rest] of rests.entries()) {
      expect(rest).toBeGreaterThanOrEqual(Math.max((steps[index]?.to ?? 0) - (steps[index]?.from ?? 0), 2) - 1);
    }
  });

  it('removes fewer rows per step if a blocking step is slow, and more if it is quick', async () => {
    const limits: number[] = [];
    let time = 0;
    const clock = vi.spyOn(performance, 'now').mockImplementation(() => time);
    onTestFinished(() => clock.mockRestore());
    const { store } = await open({ sweep: { stepRows: 400, intervalMs: 1_000_000 } }, (inner) => ({
      capabilities: { ...inner.capabilities, blocksThread: true },
      async sweep(limit) {
        limits.push(limit);
        // A tenth of a millisecond a row.
        if (limits.length === 5) time += limit / 10;
        return { ids: [], done: limits.length === 7 };
      },
    }));

    await store.sweep();

    expect(limits).toEqual([50, 100, 200, 400, 400, 200, 400]);
  });

  it('ends with the rest that closing cuts short', async () => {
    const { store, calls } = await open({}, () => ({ sweep: async () => ({ ids: [], done: false }) }));
    const sweeping = errorOf(() => store.sweep());
    await calls.next('sweep');

    await store.close();

    expect(await sweeping).toMatchObject({ code: 'STORE_CLOSED' });
  });

  it('may run several times at once', async () => {
    const backend = createMemoryBackend();
    const first = await open({ backend, ttlMs: 1_000 });
    const second = await open({ backend, ttlMs: 1_000 });
    for (let index = 0; index < 50; index++) await first.store.create();
    first.clock.now += 1_000;
    second.clock.now += 1_000;

    const removed = await Promise.all([first.store.sweep(), second.store.sweep(), first.store.sweep()]);

    expect(removed.reduce((sum, count) => sum + count, 0)).toBe(50);
  });

  it('runs by itself, again and again, also after a failure', async () => {
    let failures = 0;
    const options = { ttlMs: 1_000, sweep: { intervalMs: 1 }, onError: () => undefined };
    const { store, clock, calls } = await open(options, (inner) => ({
      async sweep(limit, now) {
        if (failures++ === 0) throw new Error('no connection');
        return inner.sweep(limit, now);
      },
    }));

    expect(await calls.next('sweep', 'error')).toMatchObject({ code: 'STORE_FAILED' });
    await calls.next('sweep', 'ok');
    await store.create({ id: 'once' });
    clock.now += 1_000;
    await calls.next('sweep', 'ok');
    await calls.next('sweep', 'ok');
    expect((await store.create({ id: 'once' })).id).toBe('once');
  });

  it('does not run by itself if the option is false', async () => {
    const timers = vi.spyOn(globalThis, 'setTimeout');

    const { store } = await open({ sweep: false });

    expect(timers).not.toHaveBeenCalled();
    timers.mockRestore();
    expect(await store.sweep()).toBe(0);
  });
});

describe('the sweeper', () => {
  const unexpected = (error: unknown): never => {
    throw error;
  };

  it('waits between half and one and a half intervals, differently each time', () => {
    const timers = vi.spyOn(globalThis, 'setTimeout');
    for (let index = 0; index < 50; index++) new Sweeper(10_000, () => Promise.resolve(), unexpected).stop();
    const delays = timers.mock.calls.map(([, delayMs]) => delayMs ?? 0);
    timers.mockRestore();

    expect(delays).toHaveLength(50);
    expect(Math.min(...delays)).toBeGreaterThanOrEqual(5_000);
    expect(Math.max(...delays)).toBeLessThan(15_000);
    expect(new Set(delays).size).toBeGreaterThan(40);
  });

  it('never has two sweeps at once', async () => {
    let running = 0;
    let most = 0;
    const { promise: thrice, resolve } = Promise.withResolvers<void>();
    let runs = 0;
    const sweep = async (): Promise<void> => {
      most = Math.max(most, ++running);
      await new Promise((done) => setImmediate(done));
      running--;
      if (++runs === 3) resolve();
    };
    const sweeper = new Sweeper(1, sweep, unexpected);

    await thrice;
    sweeper.stop();

    expect(most).toBe(1);
  });
});

describe('rests', () => {
  it('end at once when the store closes, and none begins afterwards', async () => {
    const rests = new Rests({ blocksThread: false });
    const hourAgo = performance.now() - 3_600_000;
    const resting = [rests.after(hourAgo), rests.after(hourAgo, false)];

    rests.close();

    expect(await Promise.all([...resting, rests.after(hourAgo)])).toHaveLength(3);
  });

  it.each([
    ['as long as the step', false, 40, 40],
    ['two milliseconds at least', false, 0, 2],
    ['longer than the time between two looks at a lock, where a driver blocks its thread', true, 0, 25],
  ])('are %s', async (_, blocksThread, stepMs, restMs) => {
    const rests = new Rests({ blocksThread });
    const startedAt = performance.now();

    await rests.after(startedAt - stepMs);

    expect(performance.now() - startedAt).toBeGreaterThan(restMs - 1);
  });
});
