import { expect, it } from 'vitest';
import { drained } from '../src/lib/tasks/drain.ts';

/** How long a drain takes of which tasks end at the given times. */
async function drainOf(ends: readonly number[]): Promise<number> {
  let time = 0;
  const clock = { now: () => time, pause: async (ms: number) => (time += ms) };
  const client = {
    get unfinished() {
      return ends.filter((end) => end > time);
    },
  };
  await drained(client, { idleMs: 1_000, maxMs: 10_000 }, clock);
  return time;
}

it('a drain goes on while tasks end, and no longer than it may', async () => {
  const never = Infinity;
  expect(await drainOf([])).toBe(0);
  expect(await drainOf([300, 1_250, 2_200])).toBe(2_200);
  expect(await drainOf([300, never])).toBe(1_300);
  expect(await drainOf([300, 1_400])).toBe(1_300);
  expect(await drainOf(Array.from({ length: 100 }, (_, task) => task * 500))).toBe(10_000);
});
