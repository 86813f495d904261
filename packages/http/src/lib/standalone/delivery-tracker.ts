import type { AnySession } from '../store/session-handle.ts';
import { updateStandalone } from '../store/session-record.ts';
import { parseStandaloneCursor } from './cursor.ts';
import type { Claim, Delivery } from './ownership.ts';

/** The settling time if no comments are sent, in milliseconds. */
const DEFAULT_SETTLE_MS = 15_000;

/**
 * Tracks how far the standalone stream was delivered, for a client that reconnects without a
 * cursor.
 *
 * A message that was written to a socket may be lost, and nobody acknowledges it. But a connection
 * begins with a cursor. A client that missed events reconnects with that cursor. If it reconnects
 * without one after `settleMs`, assume it received everything. From a younger connection nothing
 * counts as delivered: its client may not have received a single byte.
 *
 * The position is stored with the session at most once per `settleMs`, only if it has changed, and
 * when the connection ends.
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
   * @param claim The connection's claim to the stream. After another claim, its position does not
   * count.
   * @param after Id of the event before the first one that the connection sends; `undefined`: there
   * is none.
   * @param keepAliveMs When a client is assumed to have the first cursor of its connection, in
   * milliseconds; 0: after the default.
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

  /** Notes that an event was written to the connection, under this id. */
  written(wireId: string): void {
    this.#written = parseStandaloneCursor(this.#session, wireId)?.id;
    this.#hasWritten = true;
    this.storeIfDue();
  }

  /** Stores the position if it has changed and the last store is long enough ago. */
  storeIfDue(): void {
    const { delivered } = this.delivery;
    const now = performance.now();
    if (delivered === undefined || delivered === this.#stored || now < this.#storeAgainAt) return;
    this.#storeAgainAt = now + this.#settleMs;
    this.#stored = delivered;
    const { epoch } = this.#claim;
    updateStandalone(this.#session, (record) => (record.epoch === epoch ? { ...record, delivered } : record)).catch(
      this.#onError,
    );
  }
}
