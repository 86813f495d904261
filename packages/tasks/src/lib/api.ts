import type { JsonValue } from '@mcp-session/core';
import type { TaskHandle } from './task-handle.ts';
import type { InputResponses, Task, TaskAccess, WorkingTask } from './task.ts';

/** A task to create. */
export interface CreateTaskOptions extends TaskAccess {
  /**
   * How long the task is kept from its creation, in milliseconds, whatever its status; `null` for
   * no limit. Default: `ttlMs` of the store.
   */
  readonly ttlMs?: number | null;
  /** How often clients should ask, in milliseconds. Default: `pollIntervalMs` of the store. */
  readonly pollIntervalMs?: number;
  /**
   * What the worker needs to know, such as the arguments of the tool: JSON, with objects of any
   * type. Default: `null`. The record of a task may have 255 KiB in all. The context is dropped
   * when the task ends.
   */
  readonly context?: JsonValue | Readonly<Record<string, unknown>>;
  /** What happens if the worker of the task dies. Default: as the task store says. */
  readonly onInterrupted?: 'fail' | 'run again';
  /** Which of the store's runners executes the task. Default: none; the one who claims it. */
  readonly runner?: string;
}

/** Options of `watch`. */
export interface WatchTaskOptions extends TaskAccess {
  /** Ends the watch. Default: it ends when the task is final or gone. */
  readonly signal?: AbortSignal | undefined;
}

/**
 * Durable tasks in a session store. It can also be given to the tasks of the SDK as its `TaskStore`
 * (typescript-sdk#2782, not published yet). Their default principal is the OAuth client, which all
 * users of an application share: pass the user. For a request without a principal they pass
 * `undefined`: pass `null` instead.
 *
 * Every method throws a SessionError: `INVALID_PRINCIPAL`, and `STORE_…` if the database fails; and
 * a TypeError for an unknown option, or a `principal` that is `undefined`.
 */
export interface TaskStore {
  /**
   * Creates a task. When it resolves, every node finds the task. A task with a runner is begun in
   * this process at once.
   *
   * @throws RangeError for a runner that the store does not have. SessionError `NOT_JSON`,
   * `PROFILE_TOO_LARGE`.
   */
  create(options?: CreateTaskOptions): Promise<WorkingTask>;

  /**
   * Reads a task: one read, and one more for a result of more than 64 KiB, or until the worker has
   * taken what was sent to it. If the task's worker has died, the task fails, or runs again in this
   * process if it has the runner, as `onInterrupted` says.
   *
   * @returns `undefined` if the task is unknown, malformed, expired, or another principal's.
   */
  get(taskId: string, access?: TaskAccess): Promise<Task | undefined>;

  /**
   * Yields the task as {@link get} would now, and again after each change on any node, until it is
   * final, has expired, or the signal is aborted. Yields nothing if `get` would not find it.
   * Changes in quick succession may be yielded as one.
   *
   * One read at the beginning and one for each change; of a task that runs, also one for each lease
   * of its worker. Without a `bus`, changes of other nodes are seen every `pollIntervalMs`.
   */
  watch(taskId: string, options?: WatchTaskOptions): AsyncGenerator<Task, void, undefined>;

  /**
   * Gives answers to the worker: one read and one write, and one more read until the worker has
   * taken what was sent to it. Answers to requests that are not outstanding are ignored; the first
   * answer to each wins. From then on {@link get} shows an
   * answered request on no node, whether the worker has taken the answer or not.
   *
   * @returns Whether {@link get} would find the task.
   * @throws TaskError `INPUT_REFUSED` for answers that are no object, have more than 64 levels, or
   * for which the record of the task has no room: 128 KiB for all answers to a task, whether its
   * worker has taken them or not. Also if 1,000 answers and cancellations wait for the worker.
   */
  update(taskId: string, inputResponses: InputResponses, access?: TaskAccess): Promise<boolean>;

  /**
   * Asks the worker to stop: one read and one write. A task without a live worker is cancelled at
   * once, any other when its worker stops. A worker may finish nevertheless. Changes nothing if the
   * task is final.
   *
   * @returns Whether {@link get} would find the task.
   */
  cancel(taskId: string, access?: TaskAccess): Promise<boolean>;

  /**
   * Takes a task in order to write it, from any process that has the store, such as the worker of a
   * queue. Its heartbeat keeps others from taking it; end or release it.
   *
   * @returns `undefined` if {@link get} would not find the task, it is final, or another worker has
   * it.
   */
  claim(taskId: string, access?: TaskAccess): Promise<TaskHandle | undefined>;

  /**
   * Settles all tasks whose worker has died: they fail, or run again in this process. `get` does so
   * for the task that it reads. Call this when a process starts, or on a schedule, for tasks that
   * no client asks for. Costs a listing of all tasks.
   *
   * @returns How many tasks were settled.
   */
  recover(): Promise<number>;
}
