// Imported, because the tests of a user may replace the global timers with fake ones that stand
// still.
import { setImmediate } from 'node:timers';
import { setTimeout as pause } from 'node:timers/promises';
import { takeBatch, WAITING_BYTES, type SessionQueue, type BatchEntry } from './append-batch.ts';
import type { SessionBackend } from '../contract/backend.ts';
import type { Capabilities } from '../contract/capabilities.ts';
import { notFound, SessionError } from '../errors.ts';
import type { Gate } from '../runtime/gate.ts';
import type { ObservedBackend } from '../runtime/observed-backend.ts';
import type { AppendOutcome, AppendResult, NewEvent } from '../contract/rows.ts';
import type { WakeUps } from '../wake-ups/wake-ups.ts';
import type { Retention } from './retention.ts';
import { WaitingRoom } from './waiting-room.ts';

/**
 * Queues to keep although they are empty. Creating one for each append of a quiet session costs
 * more than looking it up.
 */
const IDLE_QUEUES = 1_000;
/** How often an append with an unknown outcome is repeated, with the same token. */
const RETRIES = 3;

/**
 * Joins appends into batches. A lone append starts at once; those that arrive while a batch is in
 * progress go together in the next one. A session is never in two batches at the same time, so its
 * events keep the order of the calls. Each session of a batch gets an answer of its own.
 *
 * A session's queue has these states:
 *
 * | state | `pending` | `busy` | left by |
 * | --- | --- | --- | --- |
 * | idle | empty | false | an append: ready |
 * | ready | some | false | a batch that takes it: busy |
 * | busy | any | true | the outcome of its batch: idle, or ready again |
 */
export class AppendQueue {
  readonly #backend: SessionBackend;
  readonly #gate: Gate;
  readonly #capabilities: Capabilities;
  readonly #clock: () => number;
  readonly #wakeUps: WakeUps;
  readonly #retention: Retention;
  readonly #queues = new Map<string, SessionQueue>();
  #tidyAt = IDLE_QUEUES;
  /** Queues that are ready, in the order of their turns. */
  #ready: SessionQueue[] = [];
  readonly #waitingRoom = new WaitingRoom();
  #batchesUnderWay = 0;
  #scheduled = false;

  constructor(
    backend: ObservedBackend,
    gate: Gate,
    clock: () => number,
    { wakeUps, retention }: { readonly wakeUps: WakeUps; readonly retention: Retention },
  ) {
    this.#backend = backend.begun;
    this.#gate = gate;
    this.#capabilities = backend.capabilities;
    this.#clock = clock;
    this.#wakeUps = wakeUps;
    this.#retention = retention;
  }

  /**
   * Appends one event and resolves with its number after the commit. Closing the store waits for
   * it.
   *
   * @throws SessionError `STORE_CLOSED` or `STORE_BUSY`, synchronously.
   */
  append(sessionId: string, event: NewEvent, expiresAt: number | undefined): Promise<number> {
    this.#gate.checkOpen();
    const bytes = WAITING_BYTES + event.bytes;
    const queue = this.#queues.get(sessionId) ?? this.#newQueue(sessionId);
    this.#waitingRoom.enter(queue.bytes, bytes);
    queue.bytes += bytes;
    this.#gate.begin();
    return new Promise((resolve, reject) => {
      if (queue.pending.push({ event, expiresAt, resolve, reject }) === 1 && !queue.busy) this.#ready.push(queue);
      this.#schedule();
    });
  }

  #newQueue(sessionId: string): SessionQueue {
    const queues = this.#queues;
    if (queues.size >= this.#tidyAt) {
      for (const { sessionId: id, pending, busy } of queues.values()) {
        if (!busy && pending.length === 0) queues.delete(id);
      }
      this.#tidyAt = 2 * queues.size + IDLE_QUEUES;
    }
    const queue = { sessionId, pending: [], busy: false, bytes: 0, alone: false };
    queues.set(sessionId, queue);
    return queue;
  }

  // No timer: appends of the same tick share a batch, and a lone one does not wait. On a blocking
  // driver, start at the end of the event-loop turn, so that all requests already received share
  // one commit.
  #schedule(): void {
    if (this.#scheduled || this.#ready.length === 0) return;
    this.#scheduled = true;
    if (this.#capabilities.blocksThread) setImmediate(this.#start);
    else queueMicrotask(this.#start);
  }

  readonly #start = (): void => {
    this.#scheduled = false;
    for (let next = this.#ready[0]; next !== undefined; next = this.#ready[0]) {
      if (!next.alone && this.#batchesUnderWay >= this.#capabilities.concurrentBatches) return;
      const batch = takeBatch(this.#ready, this.#capabilities);
      this.#ready = batch.length === this.#ready.length ? [] : this.#ready.slice(batch.length);
      void this.#run(batch, next.alone ? 0 : 1);
    }
  };

  async #run(batch: readonly BatchEntry[], places: number): Promise<void> {
    this.#batchesUnderWay += places;
    await this.#commit(batch, 0);
    this.#batchesUnderWay -= places;
    this.#schedule();
  }

  /** Resolves when every entry has its answer or continues by itself. Never rejects. */
  async #commit(batch: readonly BatchEntry[], attempt: number): Promise<void> {
    let outcomes: readonly AppendOutcome[];
    try {
      const requests = batch.map((entry) => entry.request);
      const now = this.#clock();
      outcomes = await this.#backend.appendEvents(requests, now);
    } catch (error) {
      return this.#fail(batch, error, attempt);
    }
    let index = 0;
    for (const entry of batch) {
      const outcome = outcomes[index++];
      if (outcome === undefined) this.#reject(entry, notFound());
      else if (outcome instanceof SessionError) this.#continueWith(this.#fail([entry], outcome, attempt));
      else this.#resolve(entry, outcome);
    }
  }

  /**
   * Repeats the batch while its outcome is unknown. The tokens keep a request from being appended
   * twice.
   */
  async #fail(batch: readonly BatchEntry[], error: unknown, attempt: number): Promise<void> {
    // One session's failure must not fail the others. If it is unknown whose it is, repeat each
    // entry alone, under the same token.
    if (batch.length > 1 && mayBeOneSessionsFault(error)) {
      for (const entry of batch) this.#continueWith(this.#commit([entry], attempt));
      return;
    }
    if (attempt < RETRIES && error instanceof SessionError && error.outcomeUnknown && error.retryable) {
      await pause(Math.random() * 50 * 2 ** attempt);
      return this.#commit(batch, attempt + 1);
    }
    for (const entry of batch) this.#reject(entry, error);
  }

  /** Schedules the next batch when this work is done, without waiting for it. */
  #continueWith(done: Promise<void>): void {
    void done.then(() => this.#schedule());
  }

  #resolve(entry: BatchEntry, result: AppendResult): void {
    let seq = result.firstSeq;
    for (const { resolve } of entry.pending) {
      resolve(seq++);
      this.#gate.end();
    }
    entry.queue.alone = false;
    const { sessionId } = entry.request;
    this.#wakeUps.appended(sessionId, seq - 1);
    // The next batch of this session waits for the trim; those of others do not.
    if (this.#retention.mayBeDue(result)) {
      this.#continueWith(this.#retention.enforce(sessionId, result).then(() => this.#release(entry)));
    } else this.#release(entry);
  }

  #reject(entry: BatchEntry, error: unknown): void {
    for (const { reject } of entry.pending) {
      reject(error);
      this.#gate.end();
    }
    entry.queue.alone = isOneSessionsFault(error);
    this.#release(entry);
  }

  #release({ queue, bytes }: BatchEntry): void {
    this.#waitingRoom.leave(bytes);
    queue.bytes -= bytes;
    queue.busy = false;
    if (queue.pending.length > 0) this.#ready.push(queue);
  }
}

/** Whether the failure concerns one session alone. */
function isOneSessionsFault(error: unknown): boolean {
  return error instanceof SessionError && error.scope === 'session' && error.code.startsWith('STORE_');
}

/** Whether one session may have failed the whole batch. */
function mayBeOneSessionsFault(error: unknown): boolean {
  return (
    isOneSessionsFault(error) || (error instanceof SessionError && (!error.retryable || error.code === 'STORE_FULL'))
  );
}
