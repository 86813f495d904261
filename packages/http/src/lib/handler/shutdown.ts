import { setTimeout as pause } from 'node:timers/promises';
import { Waiters } from '../runtime/waiters.ts';

/**
 * How long new requests are still served after `close`, in milliseconds. Node accepts a connection
 * some time before its request. `close` of the server leaves such a connection open: only a
 * connection that has had a request counts as idle (`last_message_start_` in Node's
 * `node_http_parser.cc`).
 */
const LATE_MS = 500;

type Phase = 'open' | 'late' | 'draining' | 'stopped';

/**
 * The phases of a handler. Without `drainMs`, `close` goes from the first one to the last.
 *
 * | phase      | begins                                    | new requests | a client's responses and notifications | GET             |
 * | ---------- | ----------------------------------------- | ------------ | -------------------------------------- | --------------- |
 * | `open`     |                                           | served       | accepted                               | opens a stream  |
 * | `late`     | with `close`                              | served       | accepted                               | ends at once    |
 * | `draining` | after half a second                       | 503          | accepted                               | ends at once    |
 * | `stopped`  | when all are answered, or after `drainMs` | 503          | 503                                    | ends at once    |
 */
export class Shutdown {
  #phase: Phase = 'open';
  /** Requests that came in time. */
  readonly #admitted = new WeakSet<Request>();
  /** How many of them have no `Response` yet. */
  #arriving = 0;
  readonly #arrived = new Waiters();
  readonly #answered: (() => Promise<void>)[] = [];

  get hasBegun(): boolean {
    return this.#phase !== 'open';
  }

  get isStopped(): boolean {
    return this.#phase === 'stopped';
  }

  /**
   * Makes `drain` wait for more.
   *
   * @param answered Resolves when no request that has its `Response` runs any more.
   */
  waitFor(answered: () => Promise<void>): void {
    this.#answered.push(answered);
  }

  /** Whether a new request is served: it comes in time, or it was admitted. */
  serves(request: Request): boolean {
    if (this.isStopped) return false;
    return this.#phase !== 'draining' || this.#admitted.has(request);
  }

  /** Answers a request that is served. `drain` waits for it. */
  async admit(request: Request, work: () => Promise<Response>): Promise<Response> {
    this.#admitted.add(request);
    this.#arriving++;
    try {
      return await work();
    } finally {
      this.#arriving--;
      this.#arrived.changed();
    }
  }

  /**
   * Lets the requests end that came in time.
   *
   * @param drainMs How long that may take, in milliseconds.
   */
  async drain(drainMs: number): Promise<void> {
    const until = performance.now() + drainMs;
    this.#phase = 'late';
    // Not without a reference: the process would end here if nothing else keeps it.
    if (drainMs > 0) await pause(Math.min(LATE_MS, drainMs));
    this.#phase = 'draining';
    const leftMs = until - performance.now();
    if (leftMs > 0) await Promise.race([this.#ended(), pause(leftMs, undefined, { ref: false })]);
    this.#phase = 'stopped';
  }

  async #ended(): Promise<void> {
    while (this.#arriving > 0) await this.#arrived.next();
    await Promise.all(this.#answered.map((answered) => answered()));
  }
}
