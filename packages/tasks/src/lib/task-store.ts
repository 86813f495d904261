import { randomBytes } from 'node:crypto';
import type { JsonValue, SessionKind, SessionStore, StateSchemas } from '@mcp-session/core';
import { optional } from '@mcp-session/core/backend';
import { checkSignal, principalOf } from './access.ts';
import { answersTo, withRoomToWait, withWaitingAnswers, type Command } from './answers.ts';
import { changesOf } from './changes.ts';
import { execute } from './execute.ts';
import {
  checkInterrupted,
  MAX_TIMER_MS,
  resolveTaskOptions,
  type ResolvedTaskOptions,
  type TaskStoreOptions,
} from './options.ts';
import {
  COMMANDS,
  ended,
  fieldsOf,
  isFinal,
  isInterrupted,
  metadataOf,
  recordOf,
  resultKey,
  TASK_KIND,
  taskOf,
  type TaskChange,
  type TaskRecord,
  type TaskSession,
} from './record.ts';
import { shareReports } from './report.ts';
import { checkJson, checkRoom } from './room.ts';
import { taskLost, TaskError } from './task-error.ts';
import type { TaskHandle } from './task-handle.ts';
import type { CreateTaskOptions, TaskStore, WatchTaskOptions } from './api.ts';
import type { InputResponses, Task, TaskAccess, TaskResult, WorkingTask } from './task.ts';
import { watchTask, type Look } from './watch.ts';
import { Worker } from './worker.ts';

/** Practically forever: the life of a task is that from its creation. */
const CENTURY_MS = 3_153_600_000_000;
const TASK_ID = /^task_[A-Za-z0-9_-]{22}$/;
const INTERRUPTED = { code: -32_603, message: 'Task was interrupted: the process that ran it has ended' };

class Tasks implements TaskStore {
  readonly #sessions: SessionKind<StateSchemas>;
  readonly #options: ResolvedTaskOptions;

  constructor(sessions: SessionKind<StateSchemas>, options: ResolvedTaskOptions) {
    this.#sessions = sessions;
    this.#options = options;
  }

  async create(given: CreateTaskOptions = {}): Promise<WorkingTask> {
    const principal = principalOf(given, 'create');
    const { context = null, runner = null } = given;
    checkJson(context, () => 'Context of a task');
    const ttlMs = given.ttlMs === null ? null : (optional('ttlMs', given.ttlMs) ?? this.#options.ttlMs);
    const pollIntervalMs = optional('pollIntervalMs', given.pollIntervalMs) ?? this.#options.pollIntervalMs;
    if (runner !== null && !this.#options.runners.has(runner)) {
      throw new RangeError(`Option runner of create is ${JSON.stringify(runner)}, which the task store does not have`);
    }
    const now = this.#options.clock();
    const record: TaskRecord = {
      status: 'working',
      updatedAt: now,
      ttlMs,
      pollIntervalMs,
      runner,
      onInterrupted: checkInterrupted(given.onInterrupted, this.#options.onInterrupted),
      context: context as JsonValue,
      // With a runner, this process has the task from the beginning, so that its death shows.
      epoch: runner === null ? 0 : 1,
      leaseUntil: runner === null ? null : now + this.#options.leaseMs,
      inputRequests: {},
      answers: {},
      takenSeq: 0,
    };
    const session = await this.#sessions.create({
      id: `task_${randomBytes(16).toString('base64url')}`,
      principal,
      metadata: metadataOf(checkRoom(record)),
      ...(ttlMs !== null && { maxLifetimeMs: ttlMs }),
    });
    if (runner !== null) this.#run(session, runner);
    return { ...fieldsOf(session.id, session.createdAt, record), status: 'working' };
  }

  async get(taskId: string, access: TaskAccess = {}): Promise<Task | undefined> {
    const session = await this.#find(taskId, principalOf(access, 'get'));
    return session && this.#show(session);
  }

  watch(taskId: string, options: WatchTaskOptions = {}): AsyncGenerator<Task, void, undefined> {
    const principal = principalOf(options, 'watch');
    checkSignal(options.signal);
    const look = async (): Promise<Look | undefined> => {
      const session = await this.#find(taskId, principal);
      if (session === undefined) return undefined;
      const task = await this.#show(session);
      return { task, isFinal: isFinal(task), againMs: this.#againMs(session) };
    };
    return watchTask({ look, listen: (wake) => this.#options.changes.listen(taskId, wake) }, options.signal);
  }

  async update(taskId: string, inputResponses: InputResponses, access: TaskAccess = {}): Promise<boolean> {
    const session = await this.#find(taskId, principalOf(access, 'update'));
    if (session === undefined) return false;
    const answers = answersTo(await withRoomToWait(session), inputResponses);
    if (answers !== undefined) await session.events.append(COMMANDS, { answers } satisfies Command);
    return true;
  }

  async cancel(taskId: string, access: TaskAccess = {}): Promise<boolean> {
    const session = await this.#find(taskId, principalOf(access, 'cancel'));
    if (session === undefined) return false;
    const isIdle = (record: TaskRecord): boolean =>
      record.leaseUntil === null || isInterrupted(record, this.#options.clock());
    if (isFinal(recordOf(session))) return true;
    const done = isIdle(recordOf(session)) && (await this.#change(session, isIdle, toCancelled));
    if (done) this.#options.changes.changed(session.id);
    else if (!isFinal(recordOf(session))) await session.events.append(COMMANDS, { cancel: true } satisfies Command);
    return true;
  }

  async claim(taskId: string, access: TaskAccess = {}): Promise<TaskHandle | undefined> {
    const session = await this.#find(taskId, principalOf(access, 'claim'));
    return session !== undefined && (await this.#take(session)) ? new Worker(session, this.#options) : undefined;
  }

  async recover(): Promise<number> {
    let settled = 0;
    let cursor: string | undefined;
    do {
      const page = await this.#sessions.list({ cursor });
      for (const { id, principal, metadata } of page.sessions) {
        if (!isInterrupted(recordOf({ metadata }), this.#options.clock())) continue;
        const session = await this.#find(id, principal);
        if (session !== undefined && (await this.#settle(session))) settled += 1;
      }
      cursor = page.nextCursor;
    } while (cursor !== undefined);
    return settled;
  }

  async #find(taskId: string, principal: string | null): Promise<TaskSession | undefined> {
    // Every id costs one read, so that time reveals nothing either. No task has the other id.
    const isId = typeof taskId === 'string' && TASK_ID.test(taskId);
    return this.#sessions.get(isId ? taskId : 'task_?', { principal });
  }

  async #show(session: TaskSession): Promise<Task> {
    if (isInterrupted(recordOf(session), this.#options.clock())) await this.#settle(session);
    const record = await withWaitingAnswers(session);
    const result: unknown =
      record.hasLargeResult === true ? await session.state.get(resultKey(record.epoch)) : record.result;
    return taskOf(session.id, session.createdAt, record, result as TaskResult | undefined);
  }

  /** When a watcher reads a task again although it has heard nothing, in milliseconds. */
  #againMs(session: TaskSession): number {
    const { clock, changes } = this.#options;
    const { ttlMs, pollIntervalMs, leaseUntil } = recordOf(session);
    const now = clock();
    const due = [session.createdAt + (ttlMs ?? Infinity) - now, MAX_TIMER_MS];
    // The end of its worker is what no bus carries.
    if (leaseUntil !== null) due.push(leaseUntil > now ? leaseUntil - now : pollIntervalMs);
    if (changes.bus === undefined) due.push(pollIntervalMs);
    return Math.max(1, Math.min(...due));
  }

  /** Settles a task whose worker has died. @returns Whether this call did. */
  async #settle(session: TaskSession): Promise<boolean> {
    const { clock, runners, changes } = this.#options;
    const { runner, onInterrupted } = recordOf(session);
    if (onInterrupted === 'run again') {
      if (runner === null || !runners.has(runner) || !(await this.#take(session))) return false;
      this.#run(session, runner);
      return true;
    }
    const failed = await this.#change(session, (record) => isInterrupted(record, clock()), toInterrupted);
    if (failed) changes.changed(session.id);
    return failed;
  }

  /** Makes this process the worker of a task, if no live worker has it. */
  async #take(session: TaskSession): Promise<boolean> {
    const { clock, leaseMs } = this.#options;
    return this.#change(
      session,
      (record) => !isFinal(record) && (record.leaseUntil === null || record.leaseUntil <= clock()),
      (record) => ({ ...record, epoch: record.epoch + 1, leaseUntil: clock() + leaseMs }),
    );
  }

  #run(session: TaskSession, name: string): void {
    const runner = this.#options.runners.get(name);
    if (runner !== undefined) void execute(new Worker(session, this.#options), runner, this.#options.onError);
  }

  /** Changes a record if it still is as asked, in one compare-and-set. @returns Whether it was. */
  async #change(session: TaskSession, is: (record: TaskRecord) => boolean, change: TaskChange): Promise<boolean> {
    const { clock } = this.#options;
    try {
      await session.updateMetadata((metadata) => {
        const record = recordOf({ metadata });
        if (isFinal(record) || !is(record)) throw taskLost();
        return metadataOf({ ...change(record), updatedAt: clock() });
      });
      return true;
    } catch (error) {
      if (error instanceof TaskError) return false;
      throw error;
    }
  }
}

function toCancelled(record: TaskRecord): TaskRecord {
  return ended(record, { status: 'cancelled' });
}

function toInterrupted(record: TaskRecord): TaskRecord {
  return ended(record, { status: 'failed', statusMessage: INTERRUPTED.message, error: INTERRUPTED });
}

/**
 * Makes the durable tasks of a session store. A task is a session of the kind `task`: what one node
 * creates, any node shows, answers, cancels and, if its worker has died, settles.
 *
 * @throws TypeError or RangeError that names the option.
 */
export function createTaskStore(store: Pick<SessionStore, 'ofKind'>, options: TaskStoreOptions = {}): TaskStore {
  const resolved = resolveTaskOptions(store, options);
  const tasks = new Tasks(store.ofKind(TASK_KIND, { ttlMs: CENTURY_MS }), resolved);
  changesOf.set(tasks, resolved.changes);
  shareReports(tasks, resolved.onError);
  return tasks;
}
