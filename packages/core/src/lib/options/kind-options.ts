import { checkKind } from '../values/ids.ts';
import { checkOptions, optional, positive, whole, type OptionNames } from '../values/option-checks.ts';
import type { StateSchemas } from '../values/standard-schema.ts';
import { checkSchemas, defaultTouchIntervalMs, type ResolvedOptions } from './store-options.ts';

/** Options of `SessionStore.ofKind`. */
export interface SessionKindOptions<S extends StateSchemas = StateSchemas> {
  /**
   * Schemas of the state keys of this kind, as in the store's option `state`.
   *
   * Default: any key and any JSON value, typed `any`, whatever the store declares.
   */
  readonly state?: S;
  /**
   * How long a session of this kind lives after its last use, in milliseconds. A session that is
   * only read may expire earlier by a tenth of this time, at most by the greater of a minute and a
   * thousandth of it.
   *
   * Default: the store's `ttlMs`.
   */
  readonly ttlMs?: number;
  /**
   * Longest life of a session of this kind, in milliseconds from its creation.
   *
   * Default: the store's `maxLifetimeMs` if `ttlMs` is left out as well, otherwise no such bound.
   */
  readonly maxLifetimeMs?: number;
  /**
   * How long an expired session stays in the store, in milliseconds, so that `find` can say that it
   * has expired. Its state cannot be read in that time. In the store, `expiresAt` and `touchedAt`
   * of such a session are later by this much.
   *
   * Default: `0`.
   */
  readonly graceMs?: number;
}

const NAMES: OptionNames<SessionKindOptions> = {
  state: ['schema', 'schemas', 'stateSchema'],
  ttlMs: ['ttl', 'timeToLive', 'maxAge', 'expiresIn'],
  maxLifetimeMs: ['lifetime', 'absoluteTimeout'],
  graceMs: ['expiredMs', 'tombstoneMs'],
};

/**
 * The options of the store as they are for the sessions of one kind.
 *
 * The clock of a kind with a grace is ahead by the grace. So what has expired is gone for every
 * call, in the step of the call itself, while the row is kept: it is the real time that a sweep
 * goes by.
 *
 * @throws RangeError or TypeError that names the option. SessionError `INVALID_KIND`.
 */
export function resolveKind(kind: string, options: SessionKindOptions, store: ResolvedOptions): ResolvedOptions {
  checkKind(kind);
  checkOptions(options, NAMES, 'ofKind');
  const ttlMs = positive('ttlMs', options.ttlMs, store.ttlMs);
  const lifetimeMs = optional('maxLifetimeMs', options.maxLifetimeMs);
  const graceMs = whole('graceMs', options.graceMs, 0, 0);
  return {
    ...store,
    state: checkSchemas(options.state),
    ttlMs,
    maxLifetimeMs: lifetimeMs ?? (options.ttlMs === undefined ? store.maxLifetimeMs : undefined),
    touchIntervalMs: options.ttlMs === undefined ? store.touchIntervalMs : touchIntervalOf(ttlMs),
    graceMs,
    clock: () => store.clock() + graceMs,
  };
}

/** A session that lives for months need not be touched each minute. */
function touchIntervalOf(ttlMs: number): number {
  return Math.max(defaultTouchIntervalMs(ttlMs), Math.floor(ttlMs / 1_000));
}
