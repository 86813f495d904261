import type { SessionStore } from '@mcp-session/core';
import type { TaskRunner } from '../../src/index.ts';

/** Longer than a machine can stall. It ends when a test turns the clock. */
export const LEASE_MS = 1_000_000;

/** To which number a task counts. */
export const STEPS = 10;

/**
 * Counts to the number of its context, in steps, and writes down who took which.
 *
 * @param taken Is called when a step was taken, before it is saved that it was.
 */
export function counting(store: SessionStore, taken?: (step: number) => Promise<void>): TaskRunner {
  const log = store.forPrincipal('the log').state;
  return async (task) => {
    const first = typeof task.checkpoint === 'number' ? task.checkpoint : 0;
    for (let step = first; step < Number(task.context); step++) {
      task.signal.throwIfAborted();
      await log.update('steps', (steps: readonly unknown[] = []) => [...steps, [task.attempt, step]]);
      await taken?.(step);
      await task.saveCheckpoint(step + 1);
    }
    return { counted: Number(task.context), attempt: task.attempt };
  };
}
