import { listenerOf } from './facts.ts';
import type { AnySession } from './streams.ts';

/**
 * How far a session's standalone stream was delivered, for a client that comes without a cursor.
 *
 * What was written to a socket may be lost on the way, and nobody acknowledges it. So an event counts as delivered when the connection that it was written
 * to is still open some time later. A client without a cursor gets again what was written in the last moments of its last connection, and never misses any.
 * The mark is stored with the session at most once in that time, and not while nothing is sent.
 */
export class DeliveryMark {
  readonly #session: AnySession;
  readonly #claim: number;
  readonly #settleMs: number;
  readonly #onError: (error: unknown) => void;
  #delivered: string | undefined;
  #candidate: string | undefined;
  #candidateAt: number = performance.now();
  #written: string | undefined;

  /**
   * @param claim The number of the connection's claim to the stream: without it, what is delivered counts no more.
   * @param settleMs How long a connection must stay open after an event, in milliseconds.
   */
  constructor(session: AnySession, claim: number, settleMs: number, onError: (error: unknown) => void) {
    this.#session = session;
    this.#claim = claim;
    this.#settleMs = settleMs;
    this.#onError = onError;
  }

  /** An event was written to the connection. */
  written(id: string): void {
    this.#written = id;
    this.tick();
  }

  /** The connection is open. */
  tick(): void {
    const now = performance.now();
    if (now - this.#candidateAt < this.#settleMs) return;
    if (this.#candidate !== undefined && this.#candidate !== this.#delivered) this.#store(this.#candidate);
    this.#candidate = this.#written;
    this.#candidateAt = now;
  }

  #store(standaloneCursor: string): void {
    this.#delivered = standaloneCursor;
    this.#session
      .updateProtocol((facts) => (listenerOf(facts).n === this.#claim ? { ...facts, standaloneCursor } : facts))
      .catch(this.#onError);
  }
}
