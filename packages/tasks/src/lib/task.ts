import type { JsonValue } from '@mcp-session/core';

/** The states of a task. The last three are final: such a task never changes again. */
export type TaskStatus = 'working' | 'input_required' | 'completed' | 'failed' | 'cancelled';

/** Requests to the client by key, such as elicitations. */
export type InputRequests = Readonly<Record<string, JsonValue>>;

/** The client's answers by key. They come from the client and are not checked. */
export type InputResponses = Readonly<Record<string, unknown>>;

/** A JSON-RPC error. */
export interface TaskFailure {
  readonly code: number;
  readonly message: string;
  readonly data?: JsonValue;
}

/** A task as `tasks/get` shows it (io.modelcontextprotocol/tasks, SEP-2663). */
export interface Task {
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
  readonly result?: object;
  /** Only if the status is `failed`. */
  readonly error?: TaskFailure;
}

/** Who asks for a task. */
export interface TaskAccess {
  /**
   * The principal that asks. Default: `null`, which finds only tasks without a principal. It is the
   * user, and not the OAuth client, which all users of an application share.
   */
  readonly principal?: string | null;
}
