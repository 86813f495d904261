import { notFound } from '../errors.ts';
import type { AppendQueue } from '../append/append-queue.ts';
import type { SessionBackend } from '../contract/backend.ts';
import type { Gate } from '../runtime/gate.ts';
import type { ObservedBackend } from '../runtime/observed-backend.ts';
import type { Rests } from '../runtime/rests.ts';
import { defaultTouchIntervalMs, type ResolvedOptions } from '../options/store-options.ts';
import type { SessionRow } from '../contract/rows.ts';
import type { KeyedLock } from '../runtime/keyed-lock.ts';
import type { WakeUps } from '../wake-ups/wake-ups.ts';

/** What all sessions of a store share. */
export interface StoreInternals {
  readonly backend: ObservedBackend;
  readonly gate: Gate;
  readonly rests: Rests;
  readonly options: ResolvedOptions;
  readonly appends: AppendQueue;
  readonly wakeUps: WakeUps;
  readonly updates: KeyedLock;
}

/** How long a session lives, by the store's options or its own. */
export interface Lifetime {
  readonly ttlMs: number;
  readonly maxLifetimeMs: number | undefined;
  /** How far the clock is ahead of the real time in which the session was created. */
  readonly graceMs: number;
}

export function expiryOf({ ttlMs, maxLifetimeMs, graceMs }: Lifetime, createdAt: number, now: number): number {
  return Math.min(now + ttlMs, createdAt + (maxLifetimeMs ?? Infinity) + graceMs, Number.MAX_SAFE_INTEGER);
}

/**
 * One session as its state and its events use it: its id, its renewal, and the error when it no
 * longer exists.
 */
export class SessionContext {
  readonly shared: StoreInternals;
  readonly id: string;
  readonly createdAt: number;
  #lifetime: Lifetime;
  readonly #renews: boolean;
  touchedAt: number;
  expiresAt: number;

  /** @param renews Whether a use of this handle renews the session. */
  constructor(shared: StoreInternals, row: SessionRow, lifetime: Lifetime, renews: boolean) {
    this.shared = shared;
    this.#renews = renews;
    this.id = row.id;
    this.createdAt = row.createdAt;
    this.#lifetime = lifetime;
    // The creation is a use as well, and is stored in real time.
    this.touchedAt = Math.max(row.touchedAt, row.createdAt + lifetime.graceMs);
    this.expiresAt = row.expiresAt;
  }

  get now(): number {
    return this.shared.options.clock();
  }

  /** The session lives by this from now on. */
  set lifetime(lifetime: Lifetime) {
    this.#lifetime = lifetime;
  }

  /** When the session expires if it is used now. */
  expiryAt(now: number): number {
    return expiryOf(this.#lifetime, this.createdAt, now);
  }

  /**
   * What a write that begins now carries as `expiresAt`; `undefined` if it renews nothing.
   *
   * @param lifetime By which the session lives after the write. Default: the present one.
   */
  renewalAt(now: number, lifetime: Lifetime = this.#lifetime): number | undefined {
    return this.#renews ? expiryOf(lifetime, this.createdAt, now) : undefined;
  }

  /** Notes that a write with {@link renewalAt} has succeeded. */
  noteWrite(now: number): void {
    if (this.#renews) this.#noteRenewal(now);
  }

  #noteRenewal(now: number): void {
    this.touchedAt = Math.max(this.touchedAt, now);
    this.expiresAt = Math.max(this.expiresAt, this.expiryAt(now));
  }

  /**
   * Makes one call that does not renew the session, and touches the session at the same time if the
   * last touch is old enough.
   *
   * @returns What the backend returned, for {@link alive}.
   */
  callAndTouch<T>(
    call: (backend: SessionBackend, now: number) => Promise<T | undefined>,
    backend: SessionBackend = this.shared.backend,
  ): Promise<T | undefined> {
    const { now } = this;
    const result = call(backend, now);
    return this.#renews && this.#touchIsDue(now) ? this.#touchBeside(result, now) : result;
  }

  async #touchBeside<T>(result: Promise<T | undefined>, now: number): Promise<T | undefined> {
    const renewed = this.renewIfDue(now);
    const value = await result;
    return (await renewed) ? value : undefined;
  }

  /**
   * Like {@link touchIfDue}, but does not fail: a database that is full or read-only can still
   * answer reads. The next use tries again.
   *
   * @returns `false` only if the touch found no live session.
   */
  renewIfDue(now: number): Promise<boolean> {
    return this.touchIfDue(now).catch((error: unknown) => {
      this.shared.options.onError(error, 'renewal of a session that was read');
      return true;
    });
  }

  /** @returns Whether the session is live; `true` if no touch was due. */
  async touchIfDue(now: number): Promise<boolean> {
    if (!this.#touchIsDue(now)) return true;
    const before = this.touchedAt;
    // Noted before the call, so that concurrent reads do not all touch.
    this.touchedAt = now;
    try {
      const live = await this.shared.backend.begun.touchSession(this.id, this.expiryAt(now), now);
      if (live) this.#noteRenewal(now);
      else this.touchedAt = before;
      return live;
    } catch (error) {
      this.touchedAt = before;
      throw error;
    }
  }

  #touchIsDue(now: number): boolean {
    const { ttlMs, touchIntervalMs } = this.shared.options;
    const { ttlMs: ownTtlMs } = this.#lifetime;
    // A session with a shorter TTL of its own would expire between two touches of the store's
    // interval.
    const intervalMs =
      ownTtlMs === ttlMs ? touchIntervalMs : Math.min(touchIntervalMs, defaultTouchIntervalMs(ownTtlMs));
    return now - this.touchedAt >= intervalMs;
  }

  /** @throws SessionError `SESSION_NOT_FOUND` if the backend found no live session. */
  alive<T>(result: T | undefined): T {
    if (result === undefined) throw notFound();
    return result;
  }
}
