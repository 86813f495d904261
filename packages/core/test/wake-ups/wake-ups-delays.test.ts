import { describe, expect, it, onTestFinished, vi } from 'vitest';
import { open } from '../support/open.ts';

/** One poll: when it began, and the sessions that it asked about. */
interface Poll {
  readonly at: number;
  readonly ids: readonly string[];
}

/** A store whose polls are recorded, under fake timers. @param hang What each poll waits for. */
async function openPolled(poll: { minMs: number; maxMs: number }, hang?: (polls: readonly Poll[]) => Promise<void>) {
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'performance'] });
  onTestFinished(() => void vi.useRealTimers());
  const polls: Poll[] = [];
  const opened = await open({}, (inner) => ({
    capabilities: { ...inner.capabilities, poll },
    readHeads: async (ids, now) => {
      polls.push({ at: performance.now(), ids: [...ids] });
      await hang?.(polls);
      return inner.readHeads(ids, now);
    },
  }));
  return { ...opened, polls };
}

describe('the time between polls', () => {
  it('backs off to the maximum while nothing arrives, and starts again with a new tail', async () => {
    const { store, calls, polls } = await openPolled({ minMs: 16, maxMs: 100 });
    const [first, second] = [await store.create(), await store.create()];
    const begunAt = performance.now();
    const waiting = first.events.tail().next();
    await vi.advanceTimersByTimeAsync(330);

    // 16, 24, 36, 54, 81, and then the multiples of the maximum.
    expect(polls.map(({ at }) => at - begunAt)).toEqual([16, 40, 76, 130, 211, 300]);
    const read = calls.next('readEvents');
    const joined = second.events.tail().next();
    await read;
    await vi.advanceTimersByTimeAsync(16);
    expect(polls.map(({ at }) => at - begunAt).slice(6)).toEqual([346]);
    for (const { events } of [first, second]) await events.append('s', 1);
    await Promise.all([waiting, joined]);
  });

  it('a poll that took very long postpones the next one by a second at most', async () => {
    const { store, polls } = await openPolled({ minMs: 20, maxMs: 20 }, async ({ length }) => {
      // The process is suspended, or the database hangs.
      if (length === 1) await new Promise((resolve) => setTimeout(resolve, 10_000));
    });
    const { events } = await store.create();
    const begunAt = performance.now();
    const waiting = events.tail().next();
    await vi.advanceTimersByTimeAsync(12_000);

    expect(polls.slice(0, 3).map(({ at }) => at - begunAt)).toEqual([20, 11_020, 11_040]);
    await events.append('s', 1);
    await waiting;
  });

  it('asks about all idle sessions in one call, whenever each began to wait', async () => {
    const { store, polls } = await openPolled({ minMs: 16, maxMs: 1_000 });
    const sessions = await Promise.all(Array.from({ length: 10 }, () => store.create()));
    const waiting: Promise<unknown>[] = [];
    for (const { events } of sessions) {
      waiting.push(events.tail().next());
      await vi.advanceTimersByTimeAsync(137);
    }
    await vi.advanceTimersByTimeAsync(10_000);
    polls.length = 0;
    await vi.advanceTimersByTimeAsync(10_000);

    expect(polls.map(({ ids }) => ids.length)).toEqual(Array.from({ length: 10 }, () => 10));
    for (const { events } of sessions) await events.append('s', 1);
    await Promise.all(waiting);
  });

  it('asks about idle sessions no more often when another one is busy', async () => {
    const { store, polls } = await openPolled({ minMs: 16, maxMs: 1_000 });
    const busy = await store.create();
    const idle = await Promise.all(Array.from({ length: 20 }, () => store.create()));
    const waiting = idle.map(({ events }) => events.tail().next());
    await vi.advanceTimersByTimeAsync(10_000);
    polls.length = 0;
    const tail = busy.events.tail();
    for (let n = 0; n < 50; n++) {
      const next = tail.next();
      await vi.advanceTimersByTimeAsync(200);
      await busy.events.append('s', n);
      await next;
    }

    const counts = idle.map(({ id }) => polls.filter(({ ids }) => ids.includes(id)).length);
    // Ten seconds at one poll a second. The busy session is polled as before, each time from the
    // shortest delay on.
    expect(Math.max(...counts)).toBeLessThanOrEqual(11);
    expect(Math.min(...counts)).toBeGreaterThanOrEqual(9);
    expect(polls.filter(({ ids }) => ids.includes(busy.id)).length).toBeGreaterThan(150);
    // One call asks about all of them.
    expect(polls.filter(({ ids }) => ids.some((id) => id !== busy.id)).length).toBeLessThanOrEqual(11);
    for (const { events } of idle) await events.append('s', 1);
    await Promise.all(waiting);
  });
});
