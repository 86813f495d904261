import { setTimeout as pause } from 'node:timers/promises';
import type { Capabilities } from './backend.ts';
import { SessionError } from './errors.ts';
import { notFound } from './session-context.ts';
import { newToken } from './ids.ts';
import type { Operations } from './operations.ts';
import type { AppendRequest, AppendResult, NewEvent } from './rows.ts';

/** Bytes of one batch, unless a single event is larger. */
const MAX_BATCH_BYTES = 1_048_576;
/** Rough bytes of memory of an append that waits, besides its message. */
const WAITING_BYTES = 250;
/** Bytes that may wait, so that a database that hangs does not fill the memory. */
const MAX_WAITING_BYTES = 67_108_864;
/** How often an append whose outcome is unknown is tried again, with the same token. */
const RETRIES = 3;

/** Is told of each commit. The next batch of that session waits for it, others do not. It must not reject. */
export type OnAppended = (request: AppendRequest, result: AppendResult) => Promise<void>;

interface Waiting {
  readonly event: NewEvent;
  /** `undefined`: does not renew the session. */
  readonly expiresAt: number | undefined;
  readonly resolve: (seq: number) => void;
  readonly reject: (error: unknown) => void;
}

interface Part {
  readonly request: AppendRequest;
  readonly waiting: readonly Waiting[];
}

interface Committed {
  readonly part: Part;
  readonly result: AppendResult;
}

/**
 * Joins appends into batches: a lone append goes at once, what arrives while a batch is under way goes together in the next one. A session is never
 * in two batches at the same time, so that its events keep the order of their calls.
 */
export class AppendQueue {
  readonly #operations: Operations;
  readonly #capabilities: Capabilities;
  readonly #clock: () => number;
  readonly #onAppended: OnAppended;
  readonly #waiting = new Map<string, Waiting[]>();
  readonly #sessionsUnderWay = new Set<string>();
  #waitingBytes = 0;
  #batchesUnderWay = 0;
  #scheduled = false;

  constructor(operations: Operations, capabilities: Capabilities, clock: () => number, onAppended: OnAppended) {
    this.#operations = operations;
    this.#capabilities = capabilities;
    this.#clock = clock;
    this.#onAppended = onAppended;
  }

  /** Appends one event and resolves with its number after the commit. */
  append(sessionId: string, event: NewEvent, expiresAt: number | undefined): Promise<number> {
    const bytes = WAITING_BYTES + event.bytes;
    if (this.#waitingBytes + bytes > MAX_WAITING_BYTES && this.#waitingBytes > 0) {
      return Promise.reject(
        new SessionError('STORE_BUSY', `Appends of ${MAX_WAITING_BYTES} bytes wait for the database already`, {
          retryable: true,
        }),
      );
    }
    return new Promise((resolve, reject) => {
      const waiting = { event, expiresAt, resolve, reject };
      const queue = this.#waiting.get(sessionId);
      if (queue === undefined) this.#waiting.set(sessionId, [waiting]);
      else queue.push(waiting);
      this.#waitingBytes += bytes;
      this.#schedule();
    });
  }

  // One microtask, not one timer: appends of the same tick share a batch, and a lone one does not wait.
  #schedule(): void {
    if (this.#scheduled) return;
    this.#scheduled = true;
    queueMicrotask(() => {
      this.#scheduled = false;
      while (this.#batchesUnderWay < this.#capabilities.concurrentBatches) {
        const batch = this.#takeBatch();
        if (batch.length === 0) return;
        void this.#run(batch);
      }
    });
  }

  #takeBatch(): Part[] {
    const batch: Part[] = [];
    let events = 0;
    let bytes = 0;
    for (const [sessionId, queue] of this.#waiting) {
      if (this.#sessionsUnderWay.has(sessionId)) continue;
      let count = 0;
      for (const { event } of queue) {
        const full =
          events >= this.#capabilities.maxBatchEvents || (events > 0 && bytes + event.bytes > MAX_BATCH_BYTES);
        if (full) break;
        events++;
        count++;
        bytes += event.bytes;
      }
      if (count === 0) break;
      const waiting = queue.splice(0, count);
      // What is left of a session goes behind the others, so that a busy one does not hold them up.
      this.#waiting.delete(sessionId);
      if (queue.length > 0) this.#waiting.set(sessionId, queue);
      batch.push({
        waiting,
        request: {
          sessionId,
          token: newToken(),
          events: waiting.map((each) => each.event),
          expiresAt: latest(waiting),
        },
      });
    }
    this.#waitingBytes -= WAITING_BYTES * events + bytes;
    return batch;
  }

  async #run(batch: readonly Part[]): Promise<void> {
    this.#batchesUnderWay++;
    for (const { request } of batch) this.#sessionsUnderWay.add(request.sessionId);
    const committed = await this.#commit(batch);
    this.#batchesUnderWay--;
    this.#schedule();
    await Promise.all(committed.map(({ part, result }) => this.#onAppended(part.request, result)));
    for (const { request } of batch) this.#sessionsUnderWay.delete(request.sessionId);
    this.#schedule();
  }

  /** Answers all that wait for the batch, and returns what was committed. */
  async #commit(batch: readonly Part[]): Promise<Committed[]> {
    try {
      const results = await this.#appendOnce(batch.map((part) => part.request));
      return batch.flatMap((part, index) => settle(part, results[index]));
    } catch (error) {
      // What the database refuses for one session must not fail the others: each goes again alone, under the same token.
      if (batch.length > 1 && error instanceof SessionError && !error.retryable) {
        const committed: Committed[] = [];
        for (const part of batch) committed.push(...(await this.#commit([part])));
        return committed;
      }
      for (const { waiting } of batch) for (const { reject } of waiting) reject(error);
      return [];
    }
  }

  /** Tries again while the outcome is unknown: the tokens keep a request from being appended twice. */
  async #appendOnce(requests: readonly AppendRequest[]): Promise<readonly (AppendResult | undefined)[]> {
    for (let attempt = 0; ; attempt++) {
      const now = this.#clock();
      try {
        return await this.#operations.call('appendEvents', (backend) => backend.appendEvents(requests, now));
      } catch (error) {
        if (attempt === RETRIES || !(error instanceof SessionError && error.outcomeUnknown && error.retryable))
          throw error;
        await pause(Math.random() * 50 * 2 ** attempt);
      }
    }
  }
}

function latest(waiting: readonly Waiting[]): number | undefined {
  const times = waiting.flatMap(({ expiresAt }) => expiresAt ?? []);
  return times.length === 0 ? undefined : Math.max(...times);
}

function settle(part: Part, result: AppendResult | undefined): Committed[] {
  if (result === undefined) {
    const error = notFound();
    for (const { reject } of part.waiting) reject(error);
    return [];
  }
  for (const [index, { resolve }] of part.waiting.entries()) resolve(result.firstSeq + index);
  return [{ part, result }];
}
