import type { Claim, Delivery } from './ownership.ts';
import { parseStandaloneCursor } from './cursor.ts';
import { listenerOf } from './record.ts';
import type { AnySession } from '../store/session-handle.ts';

/** Settling time where no comments are sent, in milliseconds. */
const DEFAULT_SETTLE_MS = 15_000;

/**
 * How far a session's standalone stream was delivered, for a client that comes without a cursor.
 *
 * What was written to a socket may be lost on the way, and nobody acknowledges it. But a connection begins with a cursor: a client that has had it for a while
 * and has lost something comes back with a cursor. One that comes without has then not lost anything, and gets nothing again. From a young
 * connection nothing counts as delivered: its client may not have got a byte of it.
 *
 * The mark is stored with the session at most once in that while, and not while nothing is sent; and when the connection ends.
 */
export class DeliveryTracker {
  readonly #session: AnySession;
  readonly #claim: Claim;
  readonly #settleMs: number;
  readonly #onError: (error: unknown) => void;
  readonly #settledAt: number;
  #storeAgainAt = 0;
  #written: string | undefined;
  #hasWritten = false;
  #stored: string | undefined;

  /**
   * @param claim The connection's claim to the stream: without it, what is delivered counts no more.
   * @param after Id of the last event in front of those that it sends; `undefined`: there is none.
   * @param keepAliveMs After how long a client has the cursor that its connection began with, in milliseconds; 0: the default.
   */
  constructor(
    session: AnySession,
    claim: Claim,
    after: string | undefined,
    keepAliveMs: number,
    onError: (error: unknown) => void,
  ) {
    this.#session = session;
    this.#claim = claim;
    this.#written = after;
    this.#settleMs = keepAliveMs || DEFAULT_SETTLE_MS;
    this.#onError = onError;
    this.#settledAt = performance.now() + this.#settleMs;
  }

  /** How far this connection has come. */
  get delivery(): Delivery {
    const isSettled = this.#hasWritten && performance.now() >= this.#settledAt;
    return { written: this.#written, delivered: isSettled ? this.#written : undefined };
  }

  /** An event was written to the connection, under this id. */
  written(wireId: string): void {
    this.#written = parseStandaloneCursor(this.#session, wireId)?.id;
    this.#hasWritten = true;
    this.tick();
  }

  /** The connection is open. */
  tick(): void {
    const { delivered } = this.delivery;
    const now = performance.now();
    if (delivered === undefined || delivered === this.#stored || now < this.#storeAgainAt) return;
    this.#storeAgainAt = now + this.#settleMs;
    this.#store(delivered);
  }

  #store(standaloneCursor: string): void {
    this.#stored = standaloneCursor;
    this.#session
      .updateProtocol((facts) => (listenerOf(facts).n === this.#claim.n ? { ...facts, standaloneCursor } : facts))
      .catch(this.#onError);
  }
}
