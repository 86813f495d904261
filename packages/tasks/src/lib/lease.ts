import { SessionError } from '@mcp-session/core';
import type { ResolvedTaskOptions } from './options.ts';
import { isFinal, metadataOf, recordOf, type TaskChange, type TaskRecord, type TaskSession } from './record.ts';
import { TaskError, taskCancelled, taskLost } from './task-error.ts';

/** How a record is written. */
export interface LeaseWrite {
  /** `end` gives the lease up. Default: it is renewed. */
  readonly lease?: 'end';
  /** The number of the last event of the log that is taken with this write. */
  readonly takenSeq?: number;
}

/** What lets one worker alone write a task: a lease that its heartbeat renews. */
export class Lease {
  /** Aborted with a TaskError when the client cancels, or the task is lost. */
  readonly signal: AbortSignal;
  /** Aborted when the worker has stopped, for whatever reason. */
  readonly stopped: AbortSignal;
  /** The number of the last event of the log that was taken. The next write stores it. */
  takenSeq = 0;
  /** Whether the worker no longer holds the task: it has ended, was released or is lost. */
  isOver = false;
  readonly #session: TaskSession;
  readonly #options: ResolvedTaskOptions;
  readonly #epoch: number;
  readonly #abort = new AbortController();
  readonly #stopped = new AbortController();
  readonly #heartbeat: NodeJS.Timeout;

  /** @param session Its record has the epoch of the worker. */
  constructor(session: TaskSession, options: ResolvedTaskOptions) {
    this.#session = session;
    this.#options = options;
    this.#epoch = recordOf(session).epoch;
    this.signal = this.#abort.signal;
    this.stopped = this.#stopped.signal;
    this.#heartbeat = setInterval(() => void this.#beat(), Math.max(1, Math.floor(options.leaseMs / 3)));
  }

  /**
   * Changes the record if the task is still this worker's, in one compare-and-set.
   *
   * @throws TaskError `TASK_LOST`
   */
  async write(change: TaskChange, { lease, takenSeq = this.takenSeq }: LeaseWrite = {}): Promise<void> {
    const { clock, leaseMs } = this.#options;
    try {
      await this.#session.updateMetadata((metadata) => {
        const record = metadata as unknown as TaskRecord;
        // Without a lease, this worker has released the task, whose number is still its own.
        const isMine = record.epoch === this.#epoch && record.leaseUntil !== null;
        if (isFinal(record) || !isMine) throw this.lose();
        const now = clock();
        const next = change(record);
        // A heartbeat is no news for clients.
        const updatedAt = next === record ? record.updatedAt : now;
        return metadataOf({
          ...next,
          updatedAt,
          leaseUntil: lease === 'end' ? null : now + leaseMs,
          takenSeq: Math.max(record.takenSeq, takenSeq),
        });
      });
    } catch (error) {
      const gone = error instanceof SessionError && error.code === 'SESSION_NOT_FOUND';
      throw gone ? this.lose() : error;
    }
  }

  /** The client has cancelled. The worker still has the task, and ends it. */
  cancel(): void {
    this.#abort.abort(taskCancelled());
  }

  /** Another worker has the task, or it is over. */
  lose(): TaskError {
    const lost = taskLost();
    this.over();
    this.#abort.abort(lost);
    return lost;
  }

  /** The task has ended. */
  over(): void {
    this.isOver = true;
    this.stop();
  }

  /** Stops without a word to the store: the lease runs out, as if the process had died. */
  stop(): void {
    clearInterval(this.#heartbeat);
    this.#stopped.abort();
  }

  async #beat(): Promise<void> {
    try {
      await this.write((record) => record);
    } catch (error) {
      if (!(error instanceof TaskError)) this.#options.onError(error);
    }
  }
}
