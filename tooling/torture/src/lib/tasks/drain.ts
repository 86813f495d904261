import { setTimeout as pause } from 'node:timers/promises';

/** How often the client is asked, in milliseconds. */
const POLL_MS = 50;

/** How long unfinished tasks may take after the last kill. */
export interface DrainTimes {
  /** How long no task may end before the rest counts as lost, in milliseconds. */
  readonly idleMs: number;
  /** How long it may take in all, in milliseconds. */
  readonly maxMs: number;
}

/** The present time in milliseconds, and how it passes. */
export interface DrainClock {
  readonly now: () => number;
  readonly pause: (ms: number) => Promise<unknown>;
}

const realClock: DrainClock = { now: () => performance.now(), pause };

/** Waits until every task has ended, or none has ended for a while. */
export async function drained(
  client: { readonly unfinished: readonly unknown[] },
  { idleMs, maxMs }: DrainTimes,
  clock: DrainClock = realClock,
): Promise<void> {
  const giveUpAt = clock.now() + maxMs;
  let left = client.unfinished.length;
  let idleAt = clock.now() + idleMs;
  while (left > 0 && clock.now() < Math.min(giveUpAt, idleAt)) {
    await clock.pause(POLL_MS);
    const { length } = client.unfinished;
    if (length < left) idleAt = clock.now() + idleMs;
    left = length;
  }
}
