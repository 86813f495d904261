import type { JsonValue, SessionKind, StateSchemas } from '@mcp-session/core';
import type {
  CreateTaskOptions as V1CreateOptions,
  TaskStore as V1TaskStore,
} from '@modelcontextprotocol/sdk/experimental/tasks';
import type { Result, Task as V1Task } from '@modelcontextprotocol/sdk/types.js';
import type { CreateTaskOptions, TaskStore } from './api.ts';
import { changesOf } from './changes.ts';
import { ended, isFinal, isTask, metadataOf, recordOf, taskOf } from './record.ts';
import { shortened } from './room.ts';
import type { Task } from './task.ts';
import { taskLost, TaskError } from './task-error.ts';
import type { TaskHandle } from './task-handle.ts';
import { resultOf, rpcError, toV1, unknownV1Task } from './task-v1.ts';

/** The tasks of one principal, as SDK v1 stores them. */
export class TasksV1 implements V1TaskStore {
  readonly #sessions: SessionKind<StateSchemas>;
  readonly #tasks: TaskStore;
  readonly #access: { readonly principal: string | null };
  readonly #maxTtlMs: number;

  constructor(
    sessions: SessionKind<StateSchemas>,
    tasks: TaskStore,
    { principal, maxTtlMs }: { readonly principal: string | null; readonly maxTtlMs: number },
  ) {
    this.#sessions = sessions;
    this.#tasks = tasks;
    this.#access = { principal };
    this.#maxTtlMs = maxTtlMs;
  }

  async createTask({ ttl, pollInterval, context }: V1CreateOptions): Promise<V1Task> {
    // It comes from the client.
    if (typeof ttl === 'number' && !(Number.isSafeInteger(ttl) && ttl > 0)) {
      throw rpcError(-32_602, `Parameter ttl is ${ttl}, not a positive whole number of milliseconds`);
    }
    // A receiver may override the time that is asked for (2025-11-25, basic/utilities/tasks, "TTL
    // and Resource Management").
    const ttlMs = Math.min(ttl ?? Infinity, this.#maxTtlMs);
    const { runner, onInterrupted, context: given } = (context ?? {}) as Partial<CreateTaskOptions>;
    const task = await this.#tasks.create({
      ...this.#access,
      ...(ttl !== undefined && { ttlMs: ttlMs === Infinity ? null : ttlMs }),
      ...(pollInterval !== undefined && { pollIntervalMs: pollInterval }),
      ...(runner !== undefined && { runner }),
      ...(onInterrupted !== undefined && { onInterrupted }),
      ...(given !== undefined && { context: given }),
    });
    return toV1(task);
  }

  async getTask(taskId: string): Promise<V1Task | null> {
    const task = await this.find(taskId);
    return task === undefined ? null : toV1(task);
  }

  async getTaskResult(taskId: string): Promise<Result> {
    const task = await this.find(taskId);
    if (task === undefined) throw unknownV1Task();
    return resultOf(task);
  }

  async storeTaskResult(taskId: string, status: 'completed' | 'failed', result: Result): Promise<void> {
    await this.#work(taskId, (worker) => worker.complete(status === 'failed' ? { ...result, isError: true } : result));
  }

  async updateTaskStatus(taskId: string, status: V1Task['status'], statusMessage?: string): Promise<void> {
    if (status === 'cancelled') return this.#cancel(taskId, statusMessage);
    await this.#work(taskId, async (worker) => {
      if (status === 'completed') return worker.complete({ content: [] });
      if (status === 'failed') return worker.fail({ code: -32_603, message: statusMessage ?? 'Task failed' });
      if (statusMessage !== undefined) await worker.status(statusMessage);
      await worker.release();
    });
  }

  async listTasks(cursor?: string): Promise<{ tasks: V1Task[]; nextCursor?: string }> {
    const { principal } = this.#access;
    // The tasks without a principal are those of all anonymous clients.
    if (principal === null) return { tasks: [] };
    const { sessions, nextCursor } = await this.#sessions.list({ principal, cursor });
    const tasks = sessions.filter(isTask).map((session) => {
      const record = recordOf(session);
      return toV1(taskOf(session.id, session.createdAt, record, record.result));
    });
    return nextCursor === undefined ? { tasks } : { tasks, nextCursor };
  }

  find(taskId: string): Promise<Task | undefined> {
    return this.#tasks.get(taskId, this.#access);
  }

  watch(taskId: string, signal: AbortSignal): AsyncGenerator<Task, void, undefined> {
    return this.#tasks.watch(taskId, { ...this.#access, signal });
  }

  answer(taskId: string, key: string, answer: JsonValue): Promise<boolean> {
    return this.#tasks.update(taskId, { [key]: answer }, this.#access);
  }

  /** Takes a task for one call. If that fails, the task is free for the next one. */
  async #work(taskId: string, call: (worker: TaskHandle) => Promise<void>): Promise<void> {
    const worker = await this.#tasks.claim(taskId, this.#access);
    if (worker === undefined) throw taskLost();
    try {
      await call(worker);
    } catch (error) {
      // If the store is away, the lease runs out.
      await worker.release().catch(() => undefined);
      throw error;
    }
  }

  /**
   * Ends a task at once, even while a worker has it: a task must be `cancelled` in the response to
   * `tasks/cancel` (2025-11-25, basic/utilities/tasks, "Task Cancellation"). What its worker writes
   * after that changes nothing.
   */
  async #cancel(taskId: string, statusMessage: string | undefined): Promise<void> {
    if (!(await this.#tasks.cancel(taskId, this.#access))) throw unknownV1Task();
    const session = await this.#sessions.get(taskId, this.#access);
    if (session === undefined || isFinal(recordOf(session))) return;
    try {
      await session.updateMetadata((metadata) => {
        const record = recordOf({ metadata });
        if (isFinal(record)) throw taskLost();
        const why = statusMessage === undefined ? {} : { statusMessage: shortened(statusMessage) };
        return metadataOf(ended(record, { status: 'cancelled', ...why }));
      });
      changesOf.get(this.#tasks)?.changed(taskId);
    } catch (error) {
      // It has ended meanwhile.
      if (!(error instanceof TaskError)) throw error;
    }
  }
}
