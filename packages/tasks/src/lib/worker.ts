import { SessionError, type JsonValue } from '@mcp-session/core';
import { withAnswers, withRequests, type Command } from './answers.ts';
import { checkCheckpoint, checkFailure, checkMessage, checkRequests, checkResult } from './arguments.ts';
import { awaitedOrReported } from './awaited.ts';
import { isMistake } from './failure.ts';
import { Lease } from './lease.ts';
import type { ResolvedTaskOptions } from './options.ts';
import { WorkerWrites } from './patience.ts';
import { COMMANDS, completed, ended, recordOf, resultKey, type TaskChange, type TaskSession } from './record.ts';
import { checkRoom, shortened } from './room.ts';
import type { InputRequests, InputResponses, TaskResult } from './task.ts';
import { TaskError } from './task-error.ts';
import type { TaskHandle } from './task-handle.ts';

/** A result of more bytes of JSON goes into the state: the record is read with each `tasks/get`. */
const MAX_INLINE_RESULT = 65_536;

/** Writes a task while no other worker does. */
export class Worker implements TaskHandle {
  readonly taskId: string;
  readonly principal: string | null;
  readonly context: JsonValue;
  readonly attempt: number;
  readonly signal: AbortSignal;
  readonly #session: TaskSession;
  readonly #options: ResolvedTaskOptions;
  readonly #lease: Lease;
  readonly #writes: WorkerWrites;
  readonly #asked = new Set<string>();
  /** Resolve when an answer has come. */
  readonly #waiters = new Set<() => void>();
  /** The errors of calls that were wrong in themselves. */
  readonly #mistakes = new WeakSet<Error>();

  /** @param session Its record has the epoch of this worker. */
  constructor(session: TaskSession, options: ResolvedTaskOptions) {
    const { context, epoch } = recordOf(session);
    this.taskId = session.id;
    this.principal = session.principal;
    this.context = context;
    this.attempt = epoch;
    this.#session = session;
    this.#options = options;
    this.#lease = new Lease(session, options);
    this.signal = this.#lease.signal;
    this.signal.addEventListener('abort', () => this.#wake());
    this.#writes = new WorkerWrites(options.onError, this.signal);
    void this.#follow();
  }

  status(message: string): Promise<void> {
    return this.#call(async () => {
      checkMessage(message);
      await this.#patiently((record) => checkRoom({ ...record, statusMessage: shortened(message) }));
      this.#options.changes.progressed(this.taskId);
    });
  }

  requireInput(requests: InputRequests): Promise<InputResponses> {
    return this.#call(async () => {
      checkRequests(requests);
      await this.#ask(requests);
      this.#options.changes.changed(this.taskId);
      return this.#answers(Object.keys(requests));
    });
  }

  get checkpoint(): JsonValue | undefined {
    return recordOf(this.#session).checkpoint;
  }

  saveCheckpoint(value: JsonValue): Promise<void> {
    return this.#call(async () => {
      checkCheckpoint(value);
      await this.#patiently((record) => checkRoom({ ...record, checkpoint: value }));
    });
  }

  complete(result: object): Promise<void> {
    return this.#call(async () => {
      const large = Buffer.byteLength(checkResult(result)) > MAX_INLINE_RESULT;
      await this.#end(completed(result as TaskResult, large), async () => {
        // Stored under the number of this worker first: nobody reads it before the record says so.
        if (large) await this.#session.state.set(resultKey(this.attempt), result);
      });
    });
  }

  fail(given: Parameters<TaskHandle['fail']>[0]): Promise<void> {
    return this.#call(async () => {
      const error = checkFailure(given);
      await this.#end({ status: 'failed', statusMessage: shortened(error.message), error });
    });
  }

  cancelled(): Promise<void> {
    return this.#call(async () => this.#end({ status: 'cancelled' }));
  }

  release(): Promise<void> {
    return this.#call(async () => {
      // If the store is away, the lease must run out all the same.
      this.#lease.stop();
      this.#writes.hurry();
      await this.#writes.once(async () => {
        try {
          await this.#lease.write((record) => ({ ...record, leaseUntil: null }), { lease: 'end' });
        } catch (error) {
          if (!(error instanceof TaskError)) throw error;
        }
        this.#lease.lose();
      });
    });
  }

  /** Stops without a word to the store: the lease runs out, as if the process had died. */
  abandon(): void {
    this.#lease.stop();
  }

  /** Whether the task has ended, was released or is lost, once the writes before are made. */
  async isOver(): Promise<boolean> {
    await this.#writes.made();
    return this.#lease.isOver;
  }

  /** Whether a call of this worker threw the error because of what it was given. */
  isMistake(error: unknown): boolean {
    return error instanceof Error && this.#mistakes.has(error);
  }

  /** Makes a call that a runner may leave without an `await`. */
  #call<T>(work: () => Promise<T>): Promise<T> {
    const noted = async (): Promise<T> => {
      try {
        return await work();
      } catch (error) {
        if (isMistake(error)) this.#mistakes.add(error);
        throw error;
      }
    };
    return awaitedOrReported(noted(), (error) => {
      // What a client has cancelled is no failure.
      const { reason } = this.signal as { readonly reason?: unknown };
      const isCancelled = reason instanceof TaskError && reason.code === 'TASK_CANCELLED';
      if (isCancelled && error instanceof TaskError) return;
      this.#options.onError(error);
      // The runner may still await it, and throw it.
      if (error instanceof Error) this.#mistakes.delete(error);
    });
  }

  /** Writes for a store that fails for a while. A change that is made twice is made once. */
  async #patiently(change: TaskChange): Promise<void> {
    await this.#writes.add(async () => this.#lease.write(change));
  }

  /** Ends the task, with nothing outstanding, once the writes before are made. */
  async #end(outcome: Parameters<typeof ended>[1], first?: () => Promise<void>): Promise<void> {
    await this.#writes.once(async () => {
      await first?.();
      await this.#lease.write((record) => ended(record, outcome), { lease: 'end' });
    });
    this.#lease.over();
    this.#options.changes.changed(this.taskId);
  }

  async #ask(requests: InputRequests): Promise<void> {
    const keys = Object.keys(requests);
    for (const key of keys) {
      if (this.#asked.has(key)) throw new TypeError(`Key ${JSON.stringify(key)} of an input request was used before`);
    }
    for (const key of keys) this.#asked.add(key);
    try {
      await this.#patiently((record) => {
        const open = Object.entries(requests).filter(([key]) => !Object.hasOwn(record.answers, key));
        // A key stands for one request in the life of a task: what an earlier worker asked remains.
        return checkRoom(withRequests(record, { ...Object.fromEntries(open), ...record.inputRequests }));
      });
    } catch (error) {
      // Nothing was asked, so the worker may try again.
      for (const key of keys) this.#asked.delete(key);
      throw error;
    }
  }

  /** Waits for the answers to keys that were asked. */
  async #answers(keys: readonly string[]): Promise<InputResponses> {
    for (;;) {
      this.signal.throwIfAborted();
      const { answers } = recordOf(this.#session);
      if (keys.every((key) => Object.hasOwn(answers, key))) {
        return Object.fromEntries(keys.map((key) => [key, answers[key]]));
      }
      await new Promise<void>((resolve) => this.#waiters.add(resolve));
    }
  }

  /** Takes what other nodes send, until the worker stops. */
  async #follow(): Promise<void> {
    const { stopped: signal } = this.#lease;
    while (!signal.aborted) {
      try {
        for await (const { message, seq } of this.#session.events.tail({ streamId: COMMANDS, signal })) {
          await this.#take(message as Command, seq);
          this.#lease.takenSeq = seq;
        }
        // It ends by itself when the task has expired, or the store is closed.
        if (!signal.aborted) this.#lease.lose();
        return;
      } catch (error) {
        if (error instanceof TaskError || signal.aborted) return;
        this.#options.onError(error);
        await new Promise((resolve) => setTimeout(resolve, 500).unref());
      }
    }
  }

  async #take(command: Command, seq: number): Promise<void> {
    if ('cancel' in command) return this.#lease.cancel();
    const keys = Object.keys(command.answers);
    const { answers } = recordOf(this.#session);
    // Only what is answered is certain: the question may be stored although its write is still
    // under way here.
    if (keys.every((key) => Object.hasOwn(answers, key))) return;
    try {
      await this.#lease.write((record) => withAnswers(record, command.answers), { takenSeq: seq });
    } catch (error) {
      // Two answers of which each had room: the first one is kept.
      if (!(error instanceof SessionError) || error.code !== 'PROFILE_TOO_LARGE') throw error;
      this.#options.onError(error);
      return;
    }
    this.#wake();
    this.#options.changes.changed(this.taskId);
  }

  #wake(): void {
    for (const wake of this.#waiters) wake();
    this.#waiters.clear();
  }
}
