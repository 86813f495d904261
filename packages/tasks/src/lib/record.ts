import type { JsonValue, Metadata, Session, StateSchemas } from '@mcp-session/core';
import type { InputRequests, Task, TaskFailure, TaskFields, TaskResult, TaskStatus } from './task.ts';

/** The kind of the sessions that are tasks. */
export const TASK_KIND = 'task';
/** The stream of a task's log that carries answers and cancellations to its worker. */
export const COMMANDS = 'commands';
/** The state key of a worker's result that is too large for the record. */
export function resultKey(epoch: number): string {
  return `result ${epoch}`;
}

/**
 * A task as it is stored: the metadata of its session, so that `tasks/get` is one read, and each
 * change is one compare-and-set.
 */
export interface TaskRecord {
  readonly status: TaskStatus;
  readonly statusMessage?: string;
  readonly updatedAt: number;
  readonly ttlMs: number | null;
  readonly pollIntervalMs: number;
  /** The name of the runner; `null`: the one who claims the task. */
  readonly runner: string | null;
  readonly onInterrupted: 'fail' | 'run again';
  /** What the creator gave to the worker. */
  readonly context: JsonValue;
  /** The number of the present worker. Each one gets a greater one; 0 for none. */
  readonly epoch: number;
  /** Until when the worker counts as alive, in Unix milliseconds; `null`: there is none. */
  readonly leaseUntil: number | null;
  /** What a later worker continues from. */
  readonly checkpoint?: JsonValue;
  /** Outstanding requests. */
  readonly inputRequests: InputRequests;
  /** The first answer to each request that was ever answered. */
  readonly answers: Readonly<Record<string, JsonValue>>;
  /**
   * The number of the last event of the task's log that its worker has taken, or 0. If the log goes
   * further, answers may wait there.
   */
  readonly takenSeq: number;
  readonly result?: TaskResult;
  /** Whether the result is in the state. */
  readonly hasLargeResult?: boolean;
  readonly error?: TaskFailure;
}

/** A change of a record. */
export type TaskChange = (record: TaskRecord) => TaskRecord;

export type TaskSession = Session<StateSchemas>;

export function recordOf(session: { readonly metadata: Metadata }): TaskRecord {
  return session.metadata as unknown as TaskRecord;
}

/**
 * Whether a session is a task: an application may have sessions of the kind `task` of its own.
 */
export function isTask(session: { readonly metadata: Metadata }): boolean {
  const { status, updatedAt, takenSeq } = recordOf(session) as Partial<TaskRecord>;
  return typeof status === 'string' && Number.isSafeInteger(updatedAt) && Number.isSafeInteger(takenSeq);
}

export function metadataOf(record: TaskRecord): Metadata {
  return record as unknown as Metadata;
}

export function isFinal({ status }: Pick<TaskRecord, 'status'>): boolean {
  return status !== 'working' && status !== 'input_required';
}

/** Whether a worker had the task and has not renewed its lease in time. */
export function isInterrupted(record: TaskRecord, now: number): boolean {
  return !isFinal(record) && record.leaseUntil !== null && record.leaseUntil <= now;
}

/**
 * The last record of a task. What only its workers need is gone, so that there is room for every
 * end, and a final task costs less to read.
 */
export function ended(record: TaskRecord, outcome: Partial<TaskRecord> & Pick<TaskRecord, 'status'>): TaskRecord {
  const { checkpoint: _, ...others } = record;
  return { ...others, context: null, inputRequests: {}, answers: {}, leaseUntil: null, ...outcome };
}

/** What a task ends with that has a result. @param isLarge Whether the state has the result. */
export function completed(result: TaskResult, isLarge: boolean): Partial<TaskRecord> & Pick<TaskRecord, 'status'> {
  if (!isLarge) return { status: 'completed', result };
  // Whether it is a tool's error shows without it.
  const isError = result['isError'] === true;
  return { status: 'completed', hasLargeResult: true, ...(isError && { result: { isError } }) };
}

/** What a task has in every status but the status, as the protocol shows it. */
export function fieldsOf(taskId: string, createdAt: number, record: TaskRecord): Omit<TaskFields, 'status'> {
  const { statusMessage, ttlMs, pollIntervalMs } = record;
  return {
    taskId,
    ...(statusMessage !== undefined && { statusMessage }),
    createdAt: new Date(createdAt).toISOString(),
    lastUpdatedAt: new Date(record.updatedAt).toISOString(),
    ttlMs,
    pollIntervalMs,
  };
}

/** The record as the protocol shows it. @param result The result, wherever it is stored. */
export function taskOf(taskId: string, createdAt: number, record: TaskRecord, result: TaskResult = {}): Task {
  const { status, inputRequests, error = UNKNOWN_FAILURE } = record;
  const fields = fieldsOf(taskId, createdAt, record);
  if (status === 'input_required') return { ...fields, status, inputRequests };
  if (status === 'completed') return { ...fields, status, result };
  if (status === 'failed') return { ...fields, status, error };
  return { ...fields, status };
}

const UNKNOWN_FAILURE: TaskFailure = { code: -32_603, message: 'Task failed' };
