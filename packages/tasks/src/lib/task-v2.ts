import type { Task } from './task.ts';

/**
 * A task as the extension shows it. The result of a tool is shown as the original request would
 * have been answered, and revision 2026-07-28 gives each result a `resultType`. The official
 * requester (`@modelcontextprotocol/ext-tasks` 0.2.2) refuses a result without it.
 */
export function toV2(task: Task): Task {
  return task.status === 'completed' ? { ...task, result: { ...task.result, resultType: 'complete' } } : task;
}
