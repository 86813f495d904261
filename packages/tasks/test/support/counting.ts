import type { SessionStore } from '@mcp-session/core';
import type { TaskRunner } from '../../src/index.ts';

/** The lease of the nodes that count: longer than a busy machine stalls. */
export const LEASE_MS = 1_000;

/**
 * To which number a task counts: for longer than it takes to see a few steps and to kill the node.
 */
export const STEPS = 100;

/** Counts to the number of its context, in steps, and writes down who took which. */
export function counting(store: SessionStore): TaskRunner {
  const log = store.forPrincipal('the log').state;
  return async (task) => {
    const first = typeof task.checkpoint === 'number' ? task.checkpoint : 0;
    for (let step = first; step < Number(task.context); step++) {
      task.signal.throwIfAborted();
      await log.update('steps', (steps: readonly unknown[] = []) => [...steps, [task.attempt, step]]);
      await task.saveCheckpoint(step + 1);
      await new Promise((resolve) => setTimeout(resolve, 10));
    }
    return { counted: Number(task.context), attempt: task.attempt };
  };
}
