import type { JsonValue } from '@mcp-session/core';
import type { InputRequests, InputResponses, TaskFailure } from './task.ts';

/**
 * A task in the hands of its worker. Only one worker has a task at a time. Every method but
 * `release` throws a TaskError `TASK_LOST` if the task is final, or another worker has it: what a
 * late worker writes changes nothing.
 *
 * `status`, `requireInput` and `saveCheckpoint` wait for a store that fails for a while. The wait
 * ends with the reason of the signal, or with an error that does not pass, such as a SessionError
 * `STORE_CLOSED`. `complete`, `fail` and `cancelled` come after the writes before them and throw
 * the store's error; the end of a runner waits as well. `release` gives the writes before it one
 * more attempt each, and throws the store's error.
 *
 * All writes are made in the order of their calls, and the end of a runner comes after them,
 * whether they are awaited or not. Await them all the same: otherwise a failure goes to `onError`
 * of the task store, and the runner does not learn of it.
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
   *
   * @throws TypeError for a message that is no string.
   */
  status(message: string): Promise<void>;

  /**
   * Asks the client, and waits for its answers, on whichever node they arrive. It costs no polling
   * but that of the store. A key is used for one request in a task's life. When a task is run
   * again, a key that was answered resolves at once.
   *
   * @param requests Requests by key, such as `{ name: { method: 'elicitation/create', params } }`.
   * @returns The first answer to each key. Check them: they come from the client.
   * @throws TypeError for a request without a `method`, and for a key that this worker has asked
   * before. SessionError `NOT_JSON`, `PROFILE_TOO_LARGE`. The reason of the signal.
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
   * @throws TypeError for a result that is no object. SessionError `NOT_JSON`,
   * `STATE_VALUE_TOO_LARGE`, `STATE_LIMIT_EXCEEDED`. The task goes on then.
   */
  complete(result: object): Promise<void>;

  /**
   * Ends the task as `failed`, for a JSON-RPC error, such as a `ProtocolError` or `McpError` of the
   * SDKs. A runner that throws such an error ends its task in the same way.
   *
   * @throws TypeError for an error without a whole number as its `code`. SessionError `NOT_JSON`.
   */
  fail(error: TaskFailure | (Error & { readonly code: number; readonly data?: unknown })): Promise<void>;

  /** Ends the task as `cancelled`, once its work has stopped. */
  cancelled(): Promise<void>;

  /**
   * Stops the heartbeat and lets another worker claim the task at once, from its checkpoint. The
   * handle has lost the task then. Does nothing if the task is final or lost.
   */
  release(): Promise<void>;
}
