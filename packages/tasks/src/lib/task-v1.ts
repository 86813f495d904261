import type { Task as V1Task } from '@modelcontextprotocol/sdk/types.js';
import type { Task } from './task.ts';

/**
 * A task as revision 2025-11-25 shows it. A tool's error is `failed` there, and `completed` in the
 * extension.
 */
export function toV1({ taskId, createdAt, lastUpdatedAt, statusMessage, pollIntervalMs, ...task }: Task): V1Task {
  return {
    taskId,
    status: isToolError(task) ? 'failed' : task.status,
    createdAt,
    lastUpdatedAt,
    ttl: task.ttlMs,
    pollInterval: pollIntervalMs,
    ...(statusMessage !== undefined && { statusMessage }),
  };
}

function isToolError({ result }: Pick<Task, 'result'>): boolean {
  return result?.['isError'] === true;
}

/**
 * What `tasks/result` answers for a final task: what the original request would have been answered.
 *
 * @throws The error of a failed task, as a JSON-RPC error; -32602 for one that was cancelled.
 */
export function resultOf(task: Task): Record<string, unknown> {
  if (task.status === 'completed') return { ...task.result };
  if (task.error !== undefined) throw rpcError(task.error.code, task.error.message, task.error.data);
  throw rpcError(-32_602, `Task has no result: it is ${task.status}`);
}

/** An error that SDK v1 answers with its code. */
export function rpcError(code: number, message: string, data?: unknown): Error {
  return Object.assign(new Error(message), { code, ...(data !== undefined && { data }) });
}

export function unknownV1Task(): Error {
  return rpcError(-32_602, 'Task not found');
}
