import type { Capabilities } from '../contract/capabilities.ts';
import type { ErrorListener } from '../reports/error-log.ts';
import { backgroundListener, errorListenerOptions } from '../reports/error-listener.ts';
import type { Logger } from '../reports/logger.ts';
import { clockOf } from '../runtime/clock.ts';
import type { Observer } from '../runtime/observer.ts';
import {
  callable,
  checkOptions,
  kindOf,
  MAX_TIMER_MS,
  optional,
  positive,
  type OptionNames,
} from '../values/option-checks.ts';
import { isPlainObject } from '../values/plain.ts';
import type { StandardSchema, StateSchemas } from '../values/standard-schema.ts';

/**
 * How much state a session may hold. A write that would exceed a limit fails with a typed error and
 * changes nothing.
 */
export interface StateLimitOptions {
  /**
   * Largest value of one key, in bytes of UTF-8 of its JSON. Default: 1 MiB (`1_048_576`). At most
   * the limit of the backend.
   */
  readonly maxValueBytes?: number;
  /** Maximum number of keys of one session. Default: `1_000`. */
  readonly maxKeys?: number;
  /**
   * Maximum bytes of all keys and values of one session together. Default: 16 MiB (`16_777_216`).
   */
  readonly maxTotalBytes?: number;
}

/**
 * How much of a session's log is kept. The oldest events go first. A bound is enforced when an
 * append exceeds it by a tenth, so a log may hold a tenth and one batch more than each bound says.
 */
export interface RetentionOptions {
  /** Maximum number of events of one session. Default: `10_000`. */
  readonly maxEvents?: number;
  /** Maximum bytes of messages of one session. Default: 64 MiB (`67_108_864`). */
  readonly maxBytes?: number;
  /**
   * Greatest age of an event, in milliseconds. Checked when an event comes in and a tenth of this
   * time has passed since the last check. Default: `undefined`, no such bound.
   */
  readonly maxAgeMs?: number;
}

/** Background sweeping, which removes expired and ended sessions. Expiry itself needs no sweep. */
export interface SweepOptions {
  /**
   * Mean time between two sweeps, in milliseconds. Each wait lasts between half and one and a half
   * of it, so that nodes drift apart. Default: one minute (`60_000`).
   */
  readonly intervalMs?: number;
  /** Maximum number of rows that one step removes. Default: `1_000`. */
  readonly stepRows?: number;
}

/** Options of every session store, whatever its backend. */
export interface SessionStoreOptions<S extends StateSchemas = StateSchemas> {
  /**
   * How long a session lives after its last use, in milliseconds. `get`, state and events are uses.
   * See {@link SessionStoreOptions.touchIntervalMs} for the precision.
   *
   * Default: 30 minutes (`1_800_000`).
   */
  readonly ttlMs?: number;
  /**
   * Longest life of a session, in milliseconds from its creation, however active it is.
   *
   * Default: `undefined`, no such bound.
   */
  readonly maxLifetimeMs?: number;
  /**
   * How old the stored time of the last use may become before a read writes it again, in
   * milliseconds. Writes always renew the session. So a session that is only read may expire this
   * much earlier than `ttlMs` after its last read. If that write fails, for instance because the
   * database is full, the read still succeeds: {@link SessionStoreOptions.observe} sees the
   * failure, and the next read tries again.
   *
   * Default: a tenth of `ttlMs`, at most one minute. At most `ttlMs`. For a session with a `ttlMs`
   * of its own: at most a tenth of that.
   */
  readonly touchIntervalMs?: number;
  /**
   * How long the id of an ended session stays taken, in milliseconds.
   *
   * Default: 24 hours (`86_400_000`).
   */
  readonly tombstoneMs?: number;
  /**
   * Schemas of state keys, from any library that implements Standard Schema (zod, valibot,
   * arktype). With them `session.state` accepts only these keys, typed and checked. The store keeps
   * the value as given; each read parses it, so transforms and defaults apply on the way out.
   *
   * Default: `undefined`: any key and any JSON value, typed `any`.
   */
  readonly state?: S;
  readonly stateLimits?: StateLimitOptions;
  readonly retention?: RetentionOptions;
  /**
   * `false` turns background sweeping off, for serverless platforms that call `store.sweep()` on a
   * schedule. Default: on.
   */
  readonly sweep?: SweepOptions | false;
  /**
   * Called after each call to the backend with its name, duration, outcome and size, never with ids
   * or values. Default: `undefined`, which costs nothing.
   */
  readonly observe?: Observer;
  /**
   * Is called with each error of work that no call waits for: sweeps, the trimming of logs, the
   * renewal of a session that is read. Such work is tried again. What the callback throws becomes a
   * process warning.
   *
   * Default: the errors go to {@link SessionStoreOptions.logger}.
   */
  readonly onError?: (error: unknown) => void;
  /** Gets these errors without `onError`, each cause once a minute. Default: the console. */
  readonly logger?: Logger;
  /** Returns the present time in whole Unix milliseconds. Default: `Date.now`. */
  readonly clock?: () => number;
}

/** Options with their defaults applied. */
export interface ResolvedOptions {
  readonly ttlMs: number;
  /** The option `ttlMs` as it was given. */
  readonly givenTtlMs: number | undefined;
  readonly maxLifetimeMs: number | undefined;
  readonly touchIntervalMs: number;
  readonly tombstoneMs: number;
  readonly state: StateSchemas | undefined;
  readonly stateLimits: Required<StateLimitOptions>;
  readonly retention: { readonly maxEvents: number; readonly maxBytes: number; readonly maxAgeMs: number | undefined };
  readonly sweep: Required<SweepOptions> | false;
  readonly observe: Observer | undefined;
  readonly onError: ErrorListener;
  readonly clock: () => number;
  /** See `SessionKindOptions.graceMs`. */
  readonly graceMs: number;
}

/**
 * Names of {@link SessionStoreOptions}, for a backend that checks its own options and these
 * together.
 */
export const sessionStoreOptions: OptionNames<SessionStoreOptions> = {
  ttlMs: ['ttl', 'timeToLive', 'maxAge', 'expiresIn', 'sessionTimeout'],
  maxLifetimeMs: ['lifetime', 'absoluteTimeout'],
  touchIntervalMs: ['touchAfter', 'renewIntervalMs'],
  tombstoneMs: [],
  state: ['schema', 'schemas', 'stateSchema'],
  stateLimits: ['limits'],
  retention: ['history'],
  sweep: ['cleanup', 'cleanupInterval', 'prune'],
  observe: ['observer', 'onCall'],
  ...errorListenerOptions,
  clock: ['now'],
};

const REPORTER = { from: '@mcp-session/core', owner: 'a session store', warning: 'SessionStoreWarning' };
const STATE_LIMITS: OptionNames<StateLimitOptions> = {
  maxValueBytes: ['maxValueSize'],
  maxKeys: [],
  maxTotalBytes: ['maxBytes'],
};
const RETENTION: OptionNames<RetentionOptions> = { maxEvents: [], maxBytes: ['maxSize'], maxAgeMs: ['ttlMs', 'ttl'] };
const SWEEP: OptionNames<SweepOptions> = { intervalMs: ['everyMs'], stepRows: ['batchSize', 'limit'] };

/** Picks the options of the store from a backend's options, for `createSessionStore`. */
export function storeOptionsOf<S extends StateSchemas>(options: SessionStoreOptions<S>): SessionStoreOptions<S> {
  return Object.fromEntries(Object.entries(options).filter(([name]) => Object.hasOwn(sessionStoreOptions, name)));
}

/** @throws RangeError or TypeError that names the option. */
export function resolveOptions(options: SessionStoreOptions, capabilities: Capabilities): ResolvedOptions {
  checkOptions(options, sessionStoreOptions);
  const ttlMs = positive('ttlMs', options.ttlMs, 1_800_000);
  const { stateLimits = {}, retention = {}, sweep = {} } = options;
  checkOptions(stateLimits, STATE_LIMITS, 'stateLimits');
  checkOptions(retention, RETENTION, 'retention');
  if (sweep !== false) checkOptions(sweep, SWEEP, 'sweep');
  return {
    ttlMs,
    givenTtlMs: options.ttlMs,
    maxLifetimeMs: optional('maxLifetimeMs', options.maxLifetimeMs),
    touchIntervalMs: positive('touchIntervalMs', options.touchIntervalMs, defaultTouchIntervalMs(ttlMs), ttlMs),
    tombstoneMs: positive('tombstoneMs', options.tombstoneMs, 86_400_000),
    state: checkSchemas(options.state),
    stateLimits: {
      maxValueBytes: positive(
        'stateLimits.maxValueBytes',
        stateLimits.maxValueBytes,
        1_048_576,
        capabilities.maxValueBytes,
      ),
      maxKeys: positive('stateLimits.maxKeys', stateLimits.maxKeys, 1_000),
      maxTotalBytes: positive('stateLimits.maxTotalBytes', stateLimits.maxTotalBytes, 16_777_216),
    },
    retention: {
      maxEvents: positive('retention.maxEvents', retention.maxEvents, 10_000),
      maxBytes: positive('retention.maxBytes', retention.maxBytes, 67_108_864),
      maxAgeMs: optional('retention.maxAgeMs', retention.maxAgeMs),
    },
    sweep: sweep !== false && {
      intervalMs: positive('sweep.intervalMs', sweep.intervalMs, 60_000, MAX_SWEEP_INTERVAL_MS),
      stepRows: positive('sweep.stepRows', sweep.stepRows, 1_000),
    },
    observe: callable('observe', options.observe),
    onError: backgroundListener(options, REPORTER),
    clock: clockOf(options.clock),
    graceMs: 0,
  };
}

// The sweeper waits for up to one and a half intervals.
const MAX_SWEEP_INTERVAL_MS = Math.floor(MAX_TIMER_MS / 1.5);

export function defaultTouchIntervalMs(ttlMs: number): number {
  return Math.max(1, Math.min(Math.floor(ttlMs / 10), 60_000));
}

/** @throws TypeError if the option is no object of schemas. */
export function checkSchemas(state: StateSchemas | undefined): StateSchemas | undefined {
  if (state !== undefined && !isPlainObject(state)) {
    throw new TypeError(`Option state is ${kindOf(state)}, not an object of schemas by key`);
  }
  for (const [key, schema] of Object.entries(state ?? {})) {
    if (typeof (schema as Partial<StandardSchema> | undefined)?.['~standard']?.validate !== 'function') {
      throw new TypeError(`Option state.${key} is not a Standard Schema`);
    }
  }
  return state;
}
