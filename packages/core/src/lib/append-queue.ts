// By its module, since a caller's tests can replace the global one by a clock that stands still.
import { setImmediate } from 'node:timers';
import { setTimeout as pause } from 'node:timers/promises';
import type { Capabilities } from './backend.ts';
import { SessionError } from './errors.ts';
import { notFound } from './session-context.ts';
import { newToken } from './ids.ts';
import type { Operations } from './operations.ts';
import type { AppendOutcome, AppendRequest, AppendResult, NewEvent } from './rows.ts';

/** Bytes of one batch, unless a single event is larger. */
const MAX_BATCH_BYTES = 1_048_576;
/** Rough bytes of memory of an append that waits, besides its message. */
const WAITING_BYTES = 250;
/** Bytes that may wait, so that a database that hangs does not fill the memory. */
const MAX_WAITING_BYTES = 67_108_864;
/** Lines of sessions that are kept although nothing waits in them: making one anew for each append of a quiet session costs more than the look-up. */
const IDLE_LINES = 1_000;
/** How often an append whose outcome is unknown is tried again, with the same token. */
const RETRIES = 3;

/** Is told of each commit. The next batch of that session waits for what it returns, others do not. It must not reject. */
export type OnAppended = (request: AppendRequest, result: AppendResult) => Promise<void> | undefined;

interface Waiting {
  readonly event: NewEvent;
  /** `undefined`: does not renew the session. */
  readonly expiresAt: number | undefined;
  readonly resolve: (seq: number) => void;
  readonly reject: (error: unknown) => void;
}

/** The appends to one session. */
interface Line {
  readonly sessionId: string;
  waiting: Waiting[];
  /** Whether a batch of it is under way: what comes meanwhile waits for it. */
  busy: boolean;
}

interface Part {
  readonly line: Line;
  readonly request: AppendRequest;
  readonly waiting: readonly Waiting[];
}

const noDelay = Promise.resolve();

/**
 * Joins appends into batches: a lone append goes at once, what arrives while a batch is under way goes together in the next one. A session is never
 * in two batches at the same time, so that its events keep the order of their calls.
 */
export class AppendQueue {
  readonly #operations: Operations;
  readonly #capabilities: Capabilities;
  readonly #clock: () => number;
  readonly #onAppended: OnAppended;
  readonly #lines = new Map<string, Line>();
  #tidyAt = IDLE_LINES;
  /** Lines in which something waits and that are not busy, in the order of their turns. */
  #ready: Line[] = [];
  #waitingBytes = 0;
  #batchesUnderWay = 0;
  #scheduled = false;

  constructor(operations: Operations, capabilities: Capabilities, clock: () => number, onAppended: OnAppended) {
    this.#operations = operations;
    this.#capabilities = capabilities;
    this.#clock = clock;
    this.#onAppended = onAppended;
  }

  /**
   * Appends one event and resolves with its number after the commit. Closing the store waits for it.
   *
   * @throws SessionError at once: `STORE_CLOSED`, `STORE_BUSY`.
   */
  append(sessionId: string, event: NewEvent, expiresAt: number | undefined): Promise<number> {
    this.#operations.checkOpen();
    const bytes = WAITING_BYTES + event.bytes;
    if (this.#waitingBytes + bytes > MAX_WAITING_BYTES && this.#waitingBytes > 0) {
      throw new SessionError('STORE_BUSY', `Appends of ${MAX_WAITING_BYTES} bytes wait for the database already`, {
        retryable: true,
      });
    }
    this.#operations.begin();
    return new Promise((resolve, reject) => {
      const line = this.#lines.get(sessionId) ?? this.#newLine(sessionId);
      if (line.waiting.push({ event, expiresAt, resolve, reject }) === 1 && !line.busy) this.#ready.push(line);
      this.#waitingBytes += bytes;
      this.#schedule();
    });
  }

  #newLine(sessionId: string): Line {
    const lines = this.#lines;
    if (lines.size >= this.#tidyAt) {
      for (const { sessionId: id, waiting, busy } of lines.values())
        if (!busy && waiting.length === 0) lines.delete(id);
      this.#tidyAt = 2 * lines.size + IDLE_LINES;
    }
    const line = { sessionId, waiting: [], busy: false };
    lines.set(sessionId, line);
    return line;
  }

  // No timer: appends of the same tick share a batch, and a lone one does not wait. Where a commit holds up the thread, those of the same turn of the event
  // loop do: the requests that had arrived would else wait for one commit after another. `queueMicrotask` costs more than a promise.
  #schedule(): void {
    if (this.#scheduled || this.#ready.length === 0) return;
    this.#scheduled = true;
    if (this.#capabilities.blocksThread) setImmediate(this.#start);
    else void noDelay.then(this.#start);
  }

  readonly #start = (): void => {
    this.#scheduled = false;
    while (this.#batchesUnderWay < this.#capabilities.concurrentBatches) {
      const batch = this.#takeBatch();
      if (batch.length === 0) return;
      void this.#run(batch);
    }
  };

  #takeBatch(): Part[] {
    const batch: Part[] = [];
    let events = 0;
    let bytes = 0;
    for (const line of this.#ready) {
      if (batch.length >= this.#capabilities.maxBatchSessions) break;
      let count = 0;
      for (const { event } of line.waiting) {
        const full =
          events >= this.#capabilities.maxBatchEvents || (events > 0 && bytes + event.bytes > MAX_BATCH_BYTES);
        if (full) break;
        events++;
        count++;
        bytes += event.bytes;
      }
      if (count === 0) break;
      const { waiting } = line;
      // What is left of a session waits for this batch and goes behind the others then, so that a busy one does not hold them up.
      line.waiting = count === waiting.length ? [] : waiting.splice(count);
      line.busy = true;
      batch.push({
        line,
        waiting,
        request: {
          sessionId: line.sessionId,
          token: newToken(),
          events: waiting.map((each) => each.event),
          expiresAt: latest(waiting),
        },
      });
    }
    this.#ready = batch.length === this.#ready.length ? [] : this.#ready.slice(batch.length);
    this.#waitingBytes -= WAITING_BYTES * events + bytes;
    return batch;
  }

  async #run(batch: readonly Part[]): Promise<void> {
    this.#batchesUnderWay++;
    const upkeep: Promise<void>[] = [];
    await this.#commit(batch, upkeep);
    this.#batchesUnderWay--;
    if (upkeep.length > 0) {
      this.#schedule();
      await Promise.all(upkeep);
    }
    for (const { line } of batch) {
      line.busy = false;
      if (line.waiting.length > 0) this.#ready.push(line);
    }
    this.#schedule();
  }

  /** Answers all that wait for the batch. Tries again while the outcome is unknown: the tokens keep a request from being appended twice. */
  async #commit(batch: readonly Part[], upkeep: Promise<void>[]): Promise<void> {
    const requests = batch.map((part) => part.request);
    for (let attempt = 0; ; attempt++) {
      let results: readonly AppendOutcome[];
      try {
        const now = this.#clock();
        results = await this.#operations.call('appendEvents', (backend) => backend.appendEvents(requests, now));
      } catch (error) {
        const again = attempt < RETRIES && error instanceof SessionError && error.outcomeUnknown && error.retryable;
        if (!again) {
          await this.#fail(batch, error, upkeep);
          return;
        }
        await pause(Math.random() * 50 * 2 ** attempt);
        continue;
      }
      let index = 0;
      for (const part of batch) this.#settle(part, results[index++], upkeep);
      return;
    }
  }

  async #fail(batch: readonly Part[], error: unknown, upkeep: Promise<void>[]): Promise<void> {
    // What the database refuses for one session must not fail the others: each goes again alone, under the same token.
    const ofOne = error instanceof SessionError && (!error.retryable || error.code === 'STORE_FULL');
    if (batch.length > 1 && ofOne) for (const part of batch) await this.#commit([part], upkeep);
    else for (const part of batch) this.#reject(part, error);
  }

  #settle(part: Part, result: AppendOutcome, upkeep: Promise<void>[]): void {
    if (result === undefined || result instanceof SessionError) {
      this.#reject(part, result ?? notFound());
      return;
    }
    let seq = result.firstSeq;
    for (const { resolve } of part.waiting) {
      resolve(seq++);
      this.#operations.end();
    }
    const work = this.#onAppended(part.request, result);
    if (work !== undefined) upkeep.push(work);
  }

  #reject({ waiting }: Part, error: unknown): void {
    for (const { reject } of waiting) {
      reject(error);
      this.#operations.end();
    }
  }
}

function latest(waiting: readonly Waiting[]): number | undefined {
  let time: number | undefined;
  for (const { expiresAt } of waiting)
    if (expiresAt !== undefined && (time === undefined || expiresAt > time)) time = expiresAt;
  return time;
}
