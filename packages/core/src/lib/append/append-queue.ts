// By its module, since a caller's tests can replace the global one by a clock that stands still.
import { setImmediate } from 'node:timers';
import { setTimeout as pause } from 'node:timers/promises';
import { takeBatch, WAITING_BYTES, type Line, type Part } from './append-batch.ts';
import type { SessionBackend } from '../contract/backend.ts';
import type { Capabilities } from '../contract/capabilities.ts';
import { notFound, SessionError } from '../errors.ts';
import type { Gate } from '../runtime/gate.ts';
import type { ObservedBackend } from '../runtime/observed-backend.ts';
import type { AppendOutcome, AppendResult, NewEvent } from '../contract/rows.ts';
import type { WakeUps } from '../wake-ups/wake-ups.ts';
import type { Retention } from './retention.ts';
import { WaitingRoom } from './waiting-room.ts';

/** Lines of sessions that are kept although nothing waits in them: making one anew for each append of a quiet session costs more than the look-up. */
const IDLE_LINES = 1_000;
/** How often an append whose outcome is unknown is tried again, with the same token. */
const RETRIES = 3;

/**
 * Joins appends into batches: a lone append goes at once, what arrives while a batch is under way goes together in the next one. A session is never
 * in two batches at the same time, so that its events keep the order of their calls. Each session of a batch is answered by itself.
 */
export class AppendQueue {
  readonly #backend: SessionBackend;
  readonly #gate: Gate;
  readonly #capabilities: Capabilities;
  readonly #clock: () => number;
  readonly #wakeUps: WakeUps;
  readonly #retention: Retention;
  readonly #lines = new Map<string, Line>();
  #tidyAt = IDLE_LINES;
  /** Lines in which something waits and that are not busy, in the order of their turns. */
  #ready: Line[] = [];
  readonly #room = new WaitingRoom();
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
   * Appends one event and resolves with its number after the commit. Closing the store waits for it.
   *
   * @throws SessionError at once: `STORE_CLOSED`, `STORE_BUSY`.
   */
  append(sessionId: string, event: NewEvent, expiresAt: number | undefined): Promise<number> {
    this.#gate.checkOpen();
    const bytes = WAITING_BYTES + event.bytes;
    const line = this.#lines.get(sessionId) ?? this.#newLine(sessionId);
    this.#room.enter(line.bytes, bytes);
    line.bytes += bytes;
    this.#gate.begin();
    return new Promise((resolve, reject) => {
      if (line.waiting.push({ event, expiresAt, resolve, reject }) === 1 && !line.busy) this.#ready.push(line);
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
    const line = { sessionId, waiting: [], busy: false, bytes: 0, alone: false };
    lines.set(sessionId, line);
    return line;
  }

  // No timer: appends of the same tick share a batch, and a lone one does not wait. Where a commit holds up the thread, those of the same turn of the event
  // loop do: the requests that had arrived would else wait for one commit after another.
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

  async #run(batch: readonly Part[], places: number): Promise<void> {
    this.#batchesUnderWay += places;
    await this.#commit(batch, 0);
    this.#batchesUnderWay -= places;
    this.#schedule();
  }

  /** Resolves when all of the batch is answered, or goes on by itself. Never rejects. */
  async #commit(batch: readonly Part[], attempt: number): Promise<void> {
    let outcomes: readonly AppendOutcome[];
    try {
      const requests = batch.map((part) => part.request);
      const now = this.#clock();
      outcomes = await this.#backend.appendEvents(requests, now);
    } catch (error) {
      return this.#fail(batch, error, attempt);
    }
    let index = 0;
    for (const part of batch) {
      const outcome = outcomes[index++];
      if (outcome === undefined) this.#reject(part, notFound());
      else if (outcome instanceof SessionError) this.#goOn(this.#fail([part], outcome, attempt));
      else this.#resolve(part, outcome);
    }
  }

  /** Tries again while the outcome is unknown: the tokens keep a request from being appended twice. */
  async #fail(batch: readonly Part[], error: unknown, attempt: number): Promise<void> {
    // The trouble of one session must not be that of the others. Where it is not known whose it is, each goes again by itself, under the same token.
    if (batch.length > 1 && mayBeOfOne(error)) {
      for (const part of batch) this.#goOn(this.#commit([part], attempt));
      return;
    }
    if (attempt < RETRIES && error instanceof SessionError && error.outcomeUnknown && error.retryable) {
      await pause(Math.random() * 50 * 2 ** attempt);
      return this.#commit(batch, attempt + 1);
    }
    for (const part of batch) this.#reject(part, error);
  }

  /** Lets a part be done beside what others do. */
  #goOn(done: Promise<void>): void {
    void done.then(() => this.#schedule());
  }

  #resolve(part: Part, result: AppendResult): void {
    let seq = result.firstSeq;
    for (const { resolve } of part.waiting) {
      resolve(seq++);
      this.#gate.end();
    }
    part.line.alone = false;
    const { sessionId } = part.request;
    this.#wakeUps.appended(sessionId, seq - 1);
    // The next batch of this session waits for the trim; those of others do not.
    if (this.#retention.mayBeDue(result))
      this.#goOn(this.#retention.enforce(sessionId, result).then(() => this.#release(part)));
    else this.#release(part);
  }

  #reject(part: Part, error: unknown): void {
    for (const { reject } of part.waiting) {
      reject(error);
      this.#gate.end();
    }
    part.line.alone = isOfOne(error);
    this.#release(part);
  }

  #release({ line, bytes }: Part): void {
    this.#room.leave(bytes);
    line.bytes -= bytes;
    line.busy = false;
    if (line.waiting.length > 0) this.#ready.push(line);
  }
}

/** Whether a session alone is in trouble. */
function isOfOne(error: unknown): boolean {
  return error instanceof SessionError && error.scope === 'session' && error.code.startsWith('STORE_');
}

/** Whether one session of a batch may be what the whole of it failed for. */
function mayBeOfOne(error: unknown): boolean {
  return isOfOne(error) || (error instanceof SessionError && (!error.retryable || error.code === 'STORE_FULL'));
}
