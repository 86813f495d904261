import type { JsonValue } from '@mcp-session/core';
import type { InputRequests, InputResponses, TaskFailure } from './task.ts';

/**
 * A task in the hands of its worker. Only one worker has a task at a time. Every method but
 * `release` throws a TaskError `TASK_LOST` if the task is final, or another worker has it: what a
 * late worker writes changes nothing.
 *
 * `status`, `requireInput` and `saveCheckpoint` wait for a store that fails for a while, and are
 * made in the order of their calls. The wait ends with the reason of the signal, or with an error
 * that does not pass, such as a SessionError `STORE_CLOSED`. The methods that end the task throw
 * the store's error; the end of a runner waits as well.
 */
export interface TaskHandle {
  readonly taskId: string;
  /** The owner of the task; `null` if it has none. */
  readonly principal: string | null;
  /** What the creator of the task gave to its worker. */
  readonly context: JsonValue;
  /** How often the task was begun, this time included: 1 unless it was interrupted. */
  readonly attempt: number;
  /**
   * Aborted with a TaskError: `TASK_CANCELLED` when the client cancels, on whichever node that is;
   * `TASK_LOST` when another worker has the task. Stop the work then.
   */
  readonly signal: AbortSignal;

  /**
   * Says what the task does now. Clients see it as `statusMessage`. Of more than 1,024 characters,
   * the beginning is kept.
   */
  status(message: string): Promise<void>;

  /**
   * Asks the client, and waits for its answers, on whichever node they arrive. It costs no polling
   * but that of the store. A key is used for one request in a task's life. When a task is run
   * again, a key that was answered resolves at once.
   *
   * @param requests Requests by key, such as `{ name: { method: 'elicitation/create', params } }`.
   * @returns The first answer to each key. Check them: they come from the client.
   * @throws TypeError for a key that this worker has asked before. The reason of the signal.
   */
  requireInput(requests: InputRequests): Promise<InputResponses>;

  /** What the last {@link saveCheckpoint} of any worker stored; `undefined` if there is none. */
  readonly checkpoint: JsonValue | undefined;

  /**
   * Stores what a later worker needs to continue from here, small: it is part of the record. Keep
   * large things elsewhere.
   *
   * @throws SessionError `NOT_JSON`, `PROFILE_TOO_LARGE`: the record may have 255 KiB in all.
   */
  saveCheckpoint(value: JsonValue): Promise<void>;

  /**
   * Ends the task as `completed`, also for a tool's result with `isError: true`.
   *
   * @throws SessionError `NOT_JSON`, `STATE_VALUE_TOO_LARGE`; the task goes on then.
   */
  complete(result: object): Promise<void>;

  /** Ends the task as `failed`, for a JSON-RPC error. */
  fail(error: TaskFailure): Promise<void>;

  /** Ends the task as `cancelled`, once its work has stopped. */
  cancelled(): Promise<void>;

  /**
   * Stops the heartbeat and lets another worker claim the task at once, from its checkpoint. The
   * handle has lost the task then. Does nothing if the task is final or lost.
   */
  release(): Promise<void>;
}
