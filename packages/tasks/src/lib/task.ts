import type { JsonValue } from '@mcp-session/core';

/** The states of a task. The last three are final: such a task never changes again. */
export type TaskStatus = 'working' | 'input_required' | 'completed' | 'failed' | 'cancelled';

/** Requests to the client by key, such as elicitations. */
export type InputRequests = Readonly<Record<string, JsonValue>>;

/** The client's answers by key. They come from the client and are not checked. */
export type InputResponses = Readonly<Record<string, unknown>>;

/** A result, as JSON has it. */
export type TaskResult = Readonly<Record<string, unknown>>;

/**
 * A JSON-RPC error. A type and not an interface, so that it is also a record of its properties.
 */
export type TaskFailure = {
  readonly code: number;
  readonly message: string;
  readonly data?: JsonValue;
};

/** What a task has in every status. */
export interface TaskFields {
  readonly taskId: string;
  readonly status: TaskStatus;
  /** What the task does, in words. May be shown to the user and to the model. */
  readonly statusMessage?: string;
  /** ISO 8601. */
  readonly createdAt: string;
  /** ISO 8601. */
  readonly lastUpdatedAt: string;
  /** How long the task is kept from its creation, in milliseconds; `null` for no limit. */
  readonly ttlMs: number | null;
  /** How often clients should ask, in milliseconds. */
  readonly pollIntervalMs: number;
  /** All outstanding requests. Only if the status is `input_required`. */
  readonly inputRequests?: InputRequests;
  /** The result of the original request. Only if the status is `completed`. */
  readonly result?: TaskResult;
  /** Only if the status is `failed`. */
  readonly error?: TaskFailure;
}

/** A task that a worker has, or that waits for one. */
export interface WorkingTask extends TaskFields {
  readonly status: 'working';
}

/** A task that waits for answers of the client. */
export interface InputRequiredTask extends TaskFields {
  readonly status: 'input_required';
  readonly inputRequests: InputRequests;
}

/** A task with its result, which may be a tool's error. */
export interface CompletedTask extends TaskFields {
  readonly status: 'completed';
  readonly result: TaskResult;
}

/** A task that ended with a JSON-RPC error. */
export interface FailedTask extends TaskFields {
  readonly status: 'failed';
  readonly error: TaskFailure;
}

/** A task that was cancelled. */
export interface CancelledTask extends TaskFields {
  readonly status: 'cancelled';
}

/** A task as `tasks/get` shows it (io.modelcontextprotocol/tasks, SEP-2663). */
export type Task = WorkingTask | InputRequiredTask | CompletedTask | FailedTask | CancelledTask;

/** Who asks for a task. */
export interface TaskAccess {
  /**
   * The principal that asks. Default: `null`, which finds only tasks without a principal.
   * `undefined` is refused as a mistake. It is the user, and not the OAuth client, which all users
   * of an application share.
   */
  readonly principal?: string | null;
}
