import type { SessionBackend } from '../contract/backend.ts';
import { SessionError } from '../errors.ts';
import { SessionWaiters, type Tail, type Waiter } from './session-waiters.ts';

/**
 * How often heads are read although nothing has changed, in milliseconds: a session may have
 * expired, which no write shows.
 */
const EXPIRY_POLL_MS = 1_000;

/** The longest rest after a slow poll, in milliseconds. */
const MAX_REST_MS = 1_000;

/** One tail that may have to wait. */
export interface WakeUp {
  /**
   * Resolves when the session may hold an event after this number, may have ended, the signal is
   * aborted, or the store closes. It may resolve without a reason.
   *
   * @throws SessionError if polling failed and trying again is useless.
   */
  wait(afterSeq: number, signal: AbortSignal | undefined): Promise<void>;
  /** Ends the wait, if there is one. Its promise resolves. */
  stop(): void;
  dispose(): void;
}

/**
 * Wakes tails: at once for appends of this process, on hints of the backend, and by one poll for
 * all waiting tails together. A wake-up carries no events. Tails read them from the store, so a
 * wake-up may be lost, doubled or early.
 */
export class WakeUps {
  readonly #backend: SessionBackend;
  readonly #clock: () => number;
  readonly #sessions = new Map<string, SessionWaiters>();
  #waiting = 0;
  #timer: NodeJS.Timeout | undefined;
  #pollAt = 0;
  #leastDelayMs: number;
  #changeMarker: number | undefined;
  #headsReadAt = 0;
  #stopHints: Promise<() => Promise<void>> | undefined;
  #closed = false;

  constructor(backend: SessionBackend, clock: () => number) {
    this.#backend = backend;
    this.#clock = clock;
    this.#leastDelayMs = backend.capabilities.poll.minMs;
  }

  /** Notes that this process has appended events up to this number. */
  appended(sessionId: string, lastSeq: number): void {
    this.#sessions.get(sessionId)?.appended(lastSeq);
  }

  /** Notes that this process has ended the session. */
  ended(sessionId: string): void {
    this.#sessions.get(sessionId)?.hint();
  }

  /** Call it before the first read, so that nothing falls between reading and waiting. */
  register(sessionId: string): WakeUp {
    let session = this.#sessions.get(sessionId);
    if (session === undefined) this.#sessions.set(sessionId, (session = new SessionWaiters()));
    const tail: Tail = { waiter: undefined, hinted: false };
    session.tails.add(tail);
    this.#watchForHints();
    return {
      wait: (afterSeq, signal) => this.#wait(session, tail, afterSeq, signal),
      stop: () => tail.waiter?.wake(),
      dispose: () => {
        session.tails.delete(tail);
        if (session.tails.size === 0) this.#sessions.delete(sessionId);
      },
    };
  }

  async close(): Promise<void> {
    this.#closed = true;
    clearTimeout(this.#timer);
    for (const session of this.#sessions.values()) session.wake();
    // A watch that failed to start has nothing to stop.
    const stop = await this.#stopHints?.catch(() => undefined);
    await stop?.();
  }

  #wait(session: SessionWaiters, tail: Tail, afterSeq: number, signal: AbortSignal | undefined): Promise<void> {
    const { hinted } = tail;
    tail.hinted = false;
    if (this.#closed || hinted || session.lastSeq > afterSeq || signal?.aborted === true) return Promise.resolve();
    return new Promise((resolve, reject) => {
      const waiter: Waiter = {
        afterSeq,
        wake: (error) => {
          if (!session.waiters.delete(waiter)) return;
          this.#waiting--;
          tail.waiter = undefined;
          signal?.removeEventListener('abort', onAbort);
          if (error === undefined) resolve();
          else reject(error);
        },
      };
      const onAbort = (): void => waiter.wake();
      signal?.addEventListener('abort', onAbort, { once: true });
      session.waiters.add(waiter);
      this.#waiting++;
      tail.waiter = waiter;
      session.waits(this.#leastDelayMs);
      this.#schedulePoll(session.pollAt);
    });
  }

  #watchForHints(): void {
    if (this.#backend.watch === undefined) return;
    this.#stopHints ??= this.#backend.watch((sessionId) => this.#sessions.get(sessionId)?.hint());
    // Hints only make tails quicker. Without them polling finds everything, and the next tail tries
    // again.
    this.#stopHints?.catch(() => (this.#stopHints = undefined));
  }

  #schedulePoll(pollAt: number): void {
    if (this.#closed || this.#waiting === 0) return;
    // A new waiter brings a poll forward that idle ones had put off.
    if (this.#timer !== undefined && this.#pollAt <= pollAt) return;
    clearTimeout(this.#timer);
    this.#pollAt = pollAt;
    const delayMs = Math.max(pollAt - performance.now(), 0);
    this.#timer = setTimeout(() => {
      void this.#poll().finally(() => {
        this.#timer = undefined;
        this.#schedulePoll(Math.max(this.#nextPollAt(), performance.now() + this.#leastDelayMs));
      });
    }, delayMs).unref();
  }

  async #poll(): Promise<void> {
    if (this.#waiting === 0) return;
    const { poll } = this.#backend.capabilities;
    const { minMs, maxMs } = poll;
    const startedAt = performance.now();
    let asked: (readonly [id: string, session: SessionWaiters])[] = [];
    try {
      if (this.#mayHaveChanged()) {
        // Include the sessions that are due soon: half of the shortest delay makes none of them
        // slower.
        asked = [...this.#sessions].filter(
          ([, { waiters, pollAt }]) => waiters.size > 0 && (this.#hasMarker || pollAt <= startedAt + minMs / 2),
        );
        for (const [, session] of asked) session.askedAbout(poll, startedAt);
        await this.#wakeWhatMoved(asked);
      }
      // Polling takes a fifth of the time at most, however many tails wait. A single slow poll,
      // after the process was suspended or the database hung, must not put off the next one for
      // long.
      const restMs = Math.min(4 * (performance.now() - startedAt), MAX_REST_MS);
      this.#leastDelayMs = Math.max(minMs, restMs);
    } catch (error) {
      this.#changeMarker = undefined;
      this.#leastDelayMs = maxMs;
      if (error instanceof SessionError && (error.retryable || error.code === 'STORE_CLOSED')) return;
      const failure =
        error instanceof Error
          ? error
          : new SessionError('STORE_FAILED', 'Looking for new events failed', { cause: error });
      for (const session of this.#sessions.values()) session.wake(failure);
    }
  }

  /** A marker costs next to nothing, but does not say which session changed. */
  get #hasMarker(): boolean {
    return this.#backend.readChangeMarker !== undefined;
  }

  #nextPollAt(): number {
    if (this.#hasMarker) return 0;
    let next = Infinity;
    for (const { waiters, pollAt } of this.#sessions.values()) {
      if (waiters.size > 0 && pollAt < next) next = pollAt;
    }
    return next;
  }

  #mayHaveChanged(): boolean {
    const marker = this.#backend.readChangeMarker?.();
    const changed = marker === undefined || marker !== this.#changeMarker;
    this.#changeMarker = marker;
    // The change may concern a session that is not polled now because its tails are reading. The
    // marker does not show it a second time.
    if (changed && marker !== undefined) {
      for (const session of this.#sessions.values()) session.hintReaders();
    }
    const now = performance.now();
    if (!changed && now - this.#headsReadAt < EXPIRY_POLL_MS) return false;
    this.#headsReadAt = now;
    return true;
  }

  async #wakeWhatMoved(asked: readonly (readonly [id: string, session: SessionWaiters])[]): Promise<void> {
    if (asked.length === 0) return;
    const ids = asked.map(([id]) => id);
    const now = this.#clock();
    const heads = await this.#backend.readHeads(ids, now);
    for (const [id, session] of asked) {
      const head = heads.get(id);
      if (head === undefined) session.wake();
      else session.appended(head.lastSeq);
    }
  }
}
