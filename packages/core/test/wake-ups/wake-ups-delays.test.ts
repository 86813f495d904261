import { describe, expect, it, onTestFinished, vi } from 'vitest';
import { open } from '../support/open.ts';

describe('the time between polls', () => {
  it('backs off to the cap while nothing comes, and starts again with a new tail', async () => {
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'performance'] });
    onTestFinished(() => void vi.useRealTimers());
    const polledAt: number[] = [];
    const { store, calls } = await open({}, (inner) => ({
      capabilities: { ...inner.capabilities, poll: { minMs: 16, maxMs: 100 } },
      readHeads: (ids, now) => {
        polledAt.push(performance.now());
        return inner.readHeads(ids, now);
      },
    }));
    const [first, second] = [await store.create(), await store.create()];
    const begunAt = performance.now();
    const waiting = first.events.tail().next();
    await vi.advanceTimersByTimeAsync(330);

    // 16, 24, 36, 54, 81, and then the multiples of the cap.
    expect(polledAt.map((at) => at - begunAt)).toEqual([16, 40, 76, 130, 211, 300]);
    const read = calls.next('readEvents');
    const joined = second.events.tail().next();
    await read;
    await vi.advanceTimersByTimeAsync(16);
    expect(polledAt.map((at) => at - begunAt).slice(6)).toEqual([346]);
    for (const { events } of [first, second]) await events.append('s', 1);
    await Promise.all([waiting, joined]);
  });

  it('a poll that took very long puts off the next one by a second at most', async () => {
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'performance'] });
    onTestFinished(() => void vi.useRealTimers());
    const polledAt: number[] = [];
    const { store } = await open({}, (inner) => ({
      capabilities: { ...inner.capabilities, poll: { minMs: 20, maxMs: 20 } },
      readHeads: async (ids, now) => {
        polledAt.push(performance.now());
        // The process is suspended, or the database hangs.
        if (polledAt.length === 1) await new Promise((resolve) => setTimeout(resolve, 10_000));
        return inner.readHeads(ids, now);
      },
    }));
    const { events } = await store.create();
    const begunAt = performance.now();
    const waiting = events.tail().next();
    await vi.advanceTimersByTimeAsync(12_000);

    expect(polledAt.slice(0, 3).map((at) => at - begunAt)).toEqual([20, 11_020, 11_040]);
    await events.append('s', 1);
    await waiting;
  });

  it('asks about all idle sessions in one call, whenever each began to wait', async () => {
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'performance'] });
    onTestFinished(() => void vi.useRealTimers());
    const asked: string[][] = [];
    const { store } = await open({}, (inner) => ({
      capabilities: { ...inner.capabilities, poll: { minMs: 16, maxMs: 1_000 } },
      readHeads: (ids, now) => {
        asked.push([...ids]);
        return inner.readHeads(ids, now);
      },
    }));
    const sessions = await Promise.all(Array.from({ length: 10 }, () => store.create()));
    const waiting: Promise<unknown>[] = [];
    for (const { events } of sessions) {
      waiting.push(events.tail().next());
      await vi.advanceTimersByTimeAsync(137);
    }
    await vi.advanceTimersByTimeAsync(10_000);
    asked.length = 0;
    await vi.advanceTimersByTimeAsync(10_000);

    expect(asked.map((ids) => ids.length)).toEqual(Array.from({ length: 10 }, () => 10));
    for (const { events } of sessions) await events.append('s', 1);
    await Promise.all(waiting);
  });

  it('asks about idle sessions no more often when another one is busy', async () => {
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'performance'] });
    onTestFinished(() => void vi.useRealTimers());
    const asked: string[][] = [];
    const { store } = await open({}, (inner) => ({
      capabilities: { ...inner.capabilities, poll: { minMs: 16, maxMs: 1_000 } },
      readHeads: (ids, now) => {
        asked.push([...ids]);
        return inner.readHeads(ids, now);
      },
    }));
    const busy = await store.create();
    const idle = await Promise.all(Array.from({ length: 20 }, () => store.create()));
    const waiting = idle.map(({ events }) => events.tail().next());
    await vi.advanceTimersByTimeAsync(10_000);
    asked.length = 0;
    const tail = busy.events.tail();
    for (let n = 0; n < 50; n++) {
      const next = tail.next();
      await vi.advanceTimersByTimeAsync(200);
      await busy.events.append('s', n);
      await next;
    }

    const counts = idle.map(({ id }) => asked.filter((ids) => ids.includes(id)).length);
    // Ten seconds at one look a second. The busy one is looked at as before, each time from the
    // shortest delay on.
    expect(Math.max(...counts)).toBeLessThanOrEqual(11);
    expect(Math.min(...counts)).toBeGreaterThanOrEqual(9);
    expect(asked.filter((ids) => ids.includes(busy.id)).length).toBeGreaterThan(150);
    // And they stay together: one call for all of them.
    expect(asked.filter((ids) => ids.some((id) => id !== busy.id)).length).toBeLessThanOrEqual(11);
    for (const { events } of idle) await events.append('s', 1);
    await Promise.all(waiting);
  });
});
