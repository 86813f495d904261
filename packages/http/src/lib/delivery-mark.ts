import type { ProtocolFacts } from '@mcp-session/core';
import type { AnySession } from './streams.ts';

/** Name of the protocol fact that says how far the standalone stream was delivered. */
const FACT = 'standaloneCursor';

/**
 * How far a session's standalone stream was delivered, for a client that comes without a cursor.
 *
 * What was written to a socket may be lost on the way, and nobody acknowledges it. So an event counts as delivered when the connection that it was written
 * to is still open some time later. A client without a cursor gets again what was written in the last moments of its last connection, and never misses any.
 * The mark is stored with the session at most once in that time, and not while nothing is sent.
 */
export class DeliveryMark {
  readonly #session: AnySession;
  readonly #settleMs: number;
  readonly #onError: (error: unknown) => void;
  #delivered: string | undefined;
  #candidate: string | undefined;
  #candidateAt = 0;
  #written: string | undefined;
  /** Writes of the mark that are under way: until they are done the facts are behind. */
  #storing = 0;

  /** @param settleMs How long a connection must stay open after an event, in milliseconds. */
  constructor(session: AnySession, settleMs: number, onError: (error: unknown) => void) {
    this.#session = session;
    this.#settleMs = settleMs;
    this.#onError = onError;
    this.refresh(session.protocol);
  }

  /** Id of the last event that counts as delivered; `undefined`: none does. */
  get cursor(): string | undefined {
    return this.#delivered;
  }

  /** Takes over what the session's facts say: another process may have delivered more since this one looked. */
  refresh({ [FACT]: stored }: ProtocolFacts): void {
    if (this.#storing === 0 && typeof stored === 'string') this.#delivered = stored;
  }

  /** A connection begins after this event, which the client has. */
  begin(cursor: string | undefined): void {
    if (cursor !== undefined && cursor !== this.#delivered) this.#store(cursor);
    this.#written = this.#candidate = undefined;
    this.#candidateAt = performance.now();
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

  #store(cursor: string): void {
    this.#delivered = cursor;
    this.#storing++;
    this.#session
      .updateProtocol((facts) => ({ ...facts, [FACT]: cursor }))
      .catch(this.#onError)
      .finally(() => this.#storing--);
  }
}
