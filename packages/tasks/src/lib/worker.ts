import { SessionError, type JsonValue } from '@mcp-session/core';
import { withAnswers, withRequests, type Command } from './answers.ts';
import type { ResolvedTaskOptions } from './options.ts';
import { isObject } from './params.ts';
import { PatientWrites } from './patience.ts';
import {
  COMMANDS,
  completed,
  ended,
  isFinal,
  metadataOf,
  recordOf,
  resultKey,
  type TaskChange,
  type TaskRecord,
  type TaskSession,
} from './record.ts';
import { bytesOf, checkRoom, shortened } from './room.ts';
import type { InputRequests, InputResponses, TaskFailure, TaskResult } from './task.ts';
import { TaskError, taskCancelled, taskLost } from './task-error.ts';
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
  readonly #abort = new AbortController();
  /** Ends the heartbeat and the tail. */
  readonly #stopped = new AbortController();
  readonly #heartbeat: NodeJS.Timeout;
  readonly #writes: PatientWrites;
  readonly #asked = new Set<string>();
  /** The number of the last event of the log that was taken. The next write stores it. */
  #takenSeq = 0;
  /** Resolve when an answer has come. */
  readonly #waiters = new Set<() => void>();

  /** @param session Its record has the epoch of this worker. */
  constructor(session: TaskSession, options: ResolvedTaskOptions) {
    const { context, epoch } = recordOf(session);
    this.taskId = session.id;
    this.principal = session.principal;
    this.context = context;
    this.attempt = epoch;
    this.signal = this.#abort.signal;
    this.#session = session;
    this.#options = options;
    this.#writes = new PatientWrites(options.onError, this.signal);
    this.#heartbeat = setInterval(() => void this.#beat(), Math.max(1, Math.floor(options.leaseMs / 3)));
    void this.#follow();
  }

  async status(message: string): Promise<void> {
    await this.#patiently((record) => checkRoom({ ...record, statusMessage: shortened(message) }));
    this.#options.changes.progressed(this.taskId);
  }

  async requireInput(requests: InputRequests): Promise<InputResponses> {
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
    this.#options.changes.changed(this.taskId);
    for (;;) {
      this.signal.throwIfAborted();
      const { answers } = recordOf(this.#session);
      if (keys.every((key) => Object.hasOwn(answers, key))) {
        return Object.fromEntries(keys.map((key) => [key, answers[key]]));
      }
      await new Promise<void>((resolve) => this.#waiters.add(resolve));
    }
  }

  get checkpoint(): JsonValue | undefined {
    return recordOf(this.#session).checkpoint;
  }

  async saveCheckpoint(value: JsonValue): Promise<void> {
    await this.#patiently((record) => checkRoom({ ...record, checkpoint: value }));
  }

  async complete(result: object): Promise<void> {
    if (!isObject(result)) throw new TypeError('Result of a task is not an object');
    const large = bytesOf(result) > MAX_INLINE_RESULT;
    // Stored under the number of this worker first: nobody reads it before the record says so.
    if (large) await this.#session.state.set(resultKey(this.attempt), result);
    await this.#end(completed(result as TaskResult, large));
  }

  async fail(error: TaskFailure): Promise<void> {
    await this.#end({ status: 'failed', statusMessage: shortened(error.message), error });
  }

  async cancelled(): Promise<void> {
    await this.#end({ status: 'cancelled' });
  }

  async release(): Promise<void> {
    this.#stop();
    try {
      await this.#write((record) => ({ ...record, leaseUntil: null }), null);
    } catch (error) {
      if (!(error instanceof TaskError)) throw error;
    }
    this.#lose();
  }

  /** Stops without a word to the store: the lease runs out, as if the process had died. */
  abandon(): void {
    this.#stop();
  }

  /** Ends the task, with nothing outstanding. */
  async #end(outcome: Parameters<typeof ended>[1]): Promise<void> {
    await this.#write((record) => ended(record, outcome), null);
    this.#stop();
    this.#options.changes.changed(this.taskId);
  }

  /**
   * Changes the record if the task is still this worker's, in one compare-and-set.
   *
   * @param leaseMs How long the lease lasts from now; `null` gives it up.
   * @param takenSeq The number of the last event of the log that is taken with this write.
   * @throws TaskError `TASK_LOST`
   */
  async #write(
    change: TaskChange,
    leaseMs: number | null = this.#options.leaseMs,
    takenSeq: number = this.#takenSeq,
  ): Promise<void> {
    const { clock } = this.#options;
    try {
      await this.#session.updateMetadata((metadata) => {
        const record = metadata as unknown as TaskRecord;
        // Without a lease, this worker has released the task, whose number is still its own.
        const isMine = record.epoch === this.attempt && record.leaseUntil !== null;
        if (isFinal(record) || !isMine) throw this.#lose();
        const now = clock();
        const next = change(record);
        // A heartbeat is no news for clients.
        const updatedAt = next === record ? record.updatedAt : now;
        return metadataOf({
          ...next,
          updatedAt,
          leaseUntil: leaseMs === null ? null : now + leaseMs,
          takenSeq: Math.max(record.takenSeq, takenSeq),
        });
      });
    } catch (error) {
      const gone = error instanceof SessionError && error.code === 'SESSION_NOT_FOUND';
      throw gone ? this.#lose() : error;
    }
  }

  /** The same for a store that fails for a while. A change that is made twice is made once. */
  async #patiently(change: TaskChange): Promise<void> {
    await this.#writes.add(async () => this.#write(change));
  }

  async #beat(): Promise<void> {
    try {
      await this.#write((record) => record);
    } catch (error) {
      if (!(error instanceof TaskError)) this.#options.onError(error);
    }
  }

  /** Takes what other nodes send, until the worker stops. */
  async #follow(): Promise<void> {
    while (!this.#stopped.signal.aborted) {
      try {
        const tail = this.#session.events.tail({ streamId: COMMANDS, signal: this.#stopped.signal });
        for await (const { message, seq } of tail) {
          await this.#take(message as Command, seq);
          this.#takenSeq = seq;
        }
        // It ends by itself when the task has expired, or the store is closed.
        if (!this.#stopped.signal.aborted) this.#lose();
        return;
      } catch (error) {
        if (error instanceof TaskError || this.#stopped.signal.aborted) return;
        this.#options.onError(error);
        await new Promise((resolve) => setTimeout(resolve, 500).unref());
      }
    }
  }

  async #take(command: Command, seq: number): Promise<void> {
    if ('cancel' in command) return this.#abortWith(taskCancelled());
    const keys = Object.keys(command.answers);
    const { answers } = recordOf(this.#session);
    // Only what is answered is certain: the question may be stored although its write is still
    // under way here.
    if (keys.every((key) => Object.hasOwn(answers, key))) return;
    try {
      await this.#write((record) => withAnswers(record, command.answers), this.#options.leaseMs, seq);
    } catch (error) {
      // Two answers of which each had room: the first one is kept.
      if (!(error instanceof SessionError) || error.code !== 'PROFILE_TOO_LARGE') throw error;
      this.#options.onError(error);
      return;
    }
    this.#wake();
    this.#options.changes.changed(this.taskId);
  }

  #lose(): TaskError {
    const lost = taskLost();
    this.#abortWith(lost);
    return lost;
  }

  #abortWith(reason: TaskError): void {
    this.#abort.abort(reason);
    if (reason.code === 'TASK_LOST') this.#stop();
    this.#wake();
  }

  #wake(): void {
    for (const wake of this.#waiters) wake();
    this.#waiters.clear();
  }

  #stop(): void {
    clearInterval(this.#heartbeat);
    this.#stopped.abort();
  }
}
