import type { SessionStore } from '@mcp-session/core';
import type { TaskRunner } from '../../src/index.ts';

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
