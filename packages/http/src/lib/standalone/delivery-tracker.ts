import type { AnySession } from '../store/session-handle.ts';
import type { StoreHealth } from '../store/health.ts';
import { updateStandalone } from '../store/session-record.ts';
import { parseStandaloneCursor } from './cursor.ts';
import type { Claim, Delivery } from './ownership.ts';

/** The settling time if no comments are sent, in milliseconds. */
const DEFAULT_SETTLE_MS = 15_000;

/** What a tracker tracks. */
export interface DeliveryOptions {
  /** The connection's claim to the stream. After another claim, its position does not count. */
  readonly claim: Claim;
  /**
   * Id of the event before the first one that the connection sends; `undefined`: there is none.
   */
  readonly after: string | undefined;
  /**
   * When a client is assumed to have what was written to its connection, in milliseconds; 0: after
   * the default.
   */
  readonly keepAliveMs: number;
  /** Whether the client sees the first cursor of its connection. */
  readonly hasFirstCursor: boolean;
  readonly health: Pick<StoreHealth, 'write'>;
  readonly onError: (error: unknown) => void;
}

/**
 * Tracks how far the standalone stream was delivered, for a client that reconnects without a
 * cursor.
 *
 * A message that was written to a socket may be lost, and nobody acknowledges it. But a connection
 * begins with a cursor. A client that missed events reconnects with that cursor. If it reconnects
 * without one after `settleMs`, assume it received everything. From a younger connection nothing
 * counts as delivered: its client may not have received a single byte.
 *
 * A client that does not see the first cursor has a cursor only when it has a message. So each
 * message counts as delivered `settleMs` after it was written.
 *
 * The position is stored with the session at most once per `settleMs`, only if it has changed, and
 * when the connection ends.
 */
export class DeliveryTracker {
  readonly #session: AnySession;
  readonly #options: DeliveryOptions;
  readonly #settleMs: number;
  readonly #settledAt: number;
  /** What was written in the last `settleMs`, to a client that does not see the first cursor. */
  readonly #young: { readonly since: number; at: number; id: string }[] = [];
  #settled: string | undefined;
  #storeAgainAt = 0;
  #written: string | undefined;
  #hasWritten = false;
  #stored: string | undefined;

  constructor(session: AnySession, options: DeliveryOptions) {
    this.#session = session;
    this.#options = options;
    this.#written = options.after;
    this.#settleMs = options.keepAliveMs || DEFAULT_SETTLE_MS;
    this.#settledAt = performance.now() + this.#settleMs;
  }

  /** How far this connection has come. */
  get delivery(): Delivery {
    const delivered = this.#options.hasFirstCursor ? this.#settledWithCursor() : this.#settledByAge();
    return { written: this.#written, delivered };
  }

  /** The same if the client may have received nothing on this connection. */
  get nothingDelivered(): Delivery {
    return { written: this.#written, delivered: this.#options.after };
  }

  /** Notes that an event was written to the connection, under this id. */
  written(wireId: string): void {
    const id = parseStandaloneCursor(this.#session, wireId)?.id;
    this.#written = id;
    this.#hasWritten = true;
    if (id !== undefined && !this.#options.hasFirstCursor) this.#noteYoung(id);
    this.storeIfDue();
  }

  /** Stores the position if it has changed and the last store is long enough ago. */
  storeIfDue(): void {
    const { delivered } = this.delivery;
    const now = performance.now();
    if (delivered === undefined || delivered === this.#stored || now < this.#storeAgainAt) return;
    this.#storeAgainAt = now + this.#settleMs;
    this.#stored = delivered;
    const { claim, health, onError } = this.#options;
    health
      .write(() =>
        updateStandalone(this.#session, (record) => (record.epoch === claim.epoch ? { ...record, delivered } : record)),
      )
      .catch(onError);
  }

  #settledWithCursor(): string | undefined {
    return this.#hasWritten && performance.now() >= this.#settledAt ? this.#written : undefined;
  }

  #settledByAge(): string | undefined {
    const bound = performance.now() - this.#settleMs;
    while (this.#young[0] !== undefined && this.#young[0].at <= bound) this.#settled = this.#young.shift()?.id;
    return this.#settled;
  }

  #noteYoung(id: string): void {
    const now = performance.now();
    const last = this.#young.at(-1);
    // Events of a short time are one entry: there may be many.
    if (last !== undefined && now - last.since < this.#settleMs / 8) Object.assign(last, { at: now, id });
    else this.#young.push({ since: now, at: now, id });
  }
}
