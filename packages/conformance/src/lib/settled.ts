import { performance } from 'node:perf_hooks';
import { setTimeout as wait } from 'node:timers/promises';
import { same } from './findings.ts';

/**
 * Fails unless a read gives what was promised. Reads again while a wrong answer may be due to lag.
 *
 * @param lagMs How long the read may lag behind writes, in milliseconds.
 */
export async function settled(
  lagMs: number,
  promised: unknown,
  what: string,
  read: () => Promise<unknown>,
): Promise<void> {
  const deadline = performance.now() + lagMs;
  for (;;) {
    const begun = performance.now();
    try {
      same(await read(), promised, what);
      return;
    } catch (error) {
      // A read that took long may have seen what was stored before the deadline.
      if (begun >= deadline) throw error;
      await wait(20);
    }
  }
}
