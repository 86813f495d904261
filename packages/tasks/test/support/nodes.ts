import { SessionError, type JsonValue, type SessionStore } from '@mcp-session/core';
import { expect, onTestFinished, vi } from 'vitest';
import { createTaskStore, TaskError, type TaskHandle, type TaskStore, type TaskStoreOptions } from '../../src/index.ts';
import type { Backend } from './backends.ts';

/** Not in the past: DynamoDB removes items whose time to live is over by its own clock. */
const START = Date.UTC(2100, 0, 1);

/** Who owns the tasks of the tests. */
export const alice = { principal: 'alice' };

/** A request to the client. */
export function ask(message: string): JsonValue {
  return { method: 'elicitation/create', params: { message } };
}

/** The backend of the tests that run. */
let begin: Backend[1] | undefined;

export function useBackend(chosen: Backend | undefined): void {
  begin = chosen?.[1];
}

export interface TaskNode {
  readonly store: SessionStore;
  readonly tasks: TaskStore;
  /** Its calls to the backend; in memory, where the nodes share one store, those of both. */
  readonly calls: string[];
}

export interface TaskNodes {
  readonly first: TaskNode;
  readonly second: TaskNode;
  /** The clock of both; a test turns it. */
  readonly clock: { now: number };
  /** The calls to the backend, by both. */
  readonly calls: string[];
  readonly errors: unknown[];
}

/** Two nodes on one storage, with one clock. */
export async function nodes(options: TaskStoreOptions = {}): Promise<TaskNodes> {
  const clock = { now: START };
  const all: string[] = [];
  const byStore = new Map<SessionStore, string[]>();
  const errors: unknown[] = [];
  const openStore = await begin?.();
  const node = async (): Promise<TaskNode> => {
    const own: string[] = [];
    const observe = ({ name }: { readonly name: string }): void => {
      own.push(name);
      all.push(name);
    };
    const store = await openStore?.({ sweep: false, clock: () => clock.now, observe });
    if (store === undefined) throw new Error('There is a backend');
    onTestFinished(() => store.close());
    const calls = byStore.get(store) ?? own;
    byStore.set(store, calls);
    const onError = (error: unknown): void => void errors.push(error);
    const tasks = createTaskStore(store, { clock: () => clock.now, onError, ...options });
    return { store, tasks, calls };
  };
  const [first, second] = [await node(), await node()];
  for (const calls of [all, first.calls, second.calls]) calls.length = 0;
  return { first, second, clock, calls: all, errors };
}

/**
 * How long an answer may take to another node: the emulator of DynamoDB needs seconds on a busy
 * machine, all the more while it is asked again and again.
 */
export const SOON: { readonly timeout: number; readonly interval: number } = { timeout: 25_000, interval: 50 };

export async function statusOf(tasks: TaskStore, id: string): Promise<string | undefined> {
  return (await tasks.get(id, alice))?.status;
}

/** Waits until a task has a status. */
export async function become(tasks: TaskStore, id: string, status: string): Promise<void> {
  await vi.waitFor(async () => expect(await statusOf(tasks, id)).toBe(status), SOON);
}

/** Claims a task, and releases it after the test. */
export async function take(tasks: TaskStore, id: string): Promise<TaskHandle> {
  const handle = await tasks.claim(id, alice);
  if (handle === undefined) throw new Error('The task is free');
  onTestFinished(() => handle.release());
  return handle;
}

export async function codeOf(call: Promise<unknown>): Promise<unknown> {
  return call.then(
    () => 'resolved',
    (error: unknown) => (error instanceof TaskError || error instanceof SessionError ? error.code : error),
  );
}
