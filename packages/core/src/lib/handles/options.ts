import { checkStore } from '../api/check-given.ts';
import { SessionError } from '../errors.ts';
import { checkKind, quote } from '../values/ids.ts';
import { checkOptions, optional, positive, type OptionNames } from '../values/option-checks.ts';
import type { StateSchemas } from '../values/standard-schema.ts';

/** Options of `defineHandle`. */
export interface HandleOptions<S extends StateSchemas = StateSchemas> {
  /**
   * What the handles stand for, as a lower-case word such as `cart`. It begins their ids and is the
   * kind of their sessions. Not a kind of these packages, such as `user` or `task`. Required.
   */
  readonly name: string;
  /**
   * Schemas of the state keys, as in the store's option `state`.
   *
   * Default: any key and any JSON value, typed `any`, whatever the store declares.
   */
  readonly state?: S;
  /**
   * How long a handle lives after its last use, in milliseconds.
   *
   * Default: 24 hours (`86_400_000`).
   */
  readonly ttlMs?: number;
  /**
   * Longest life of a handle, in milliseconds from its creation.
   *
   * Default: no such bound; 24 hours for a handle without a principal.
   */
  readonly maxLifetimeMs?: number;
  /**
   * How many live handles of this definition one principal may have. Does not apply to handles
   * without a principal. The bound holds for concurrent calls too: of several calls that race for
   * the last place, all may be refused. Where listings lag behind writes, as on DynamoDB, calls
   * within the lag are not counted.
   *
   * Default: no such bound.
   */
  readonly maxPerPrincipal?: number;
  /**
   * For how long the owner of an expired handle learns that it has expired, in milliseconds. What
   * the handle holds stays in the database for that long, and cannot be read.
   *
   * Default: 24 hours (`86_400_000`).
   */
  readonly expiredMs?: number;
}

/** Options with their defaults applied. */
export interface ResolvedHandleOptions {
  readonly name: string;
  readonly ttlMs: number;
  readonly maxLifetimeMs: number | undefined;
  readonly maxPerPrincipal: number | undefined;
  readonly expiredMs: number;
}

export const DAY = 86_400_000;

const NAMES: OptionNames<HandleOptions> = {
  name: ['kind', 'prefix', 'id'],
  state: ['schema', 'schemas', 'stateSchema'],
  ttlMs: ['ttl', 'timeToLive', 'maxAge', 'expiresIn'],
  maxLifetimeMs: ['lifetime', 'absoluteTimeout'],
  maxPerPrincipal: ['quota', 'limit', 'max', 'maxHandles'],
  expiredMs: ['graceMs', 'tombstoneMs'],
};

/** Kinds that this project uses for records of its own. */
const RESERVED: ReadonlySet<string> = new Set([
  'session',
  'user',
  'task',
  'once',
  'claim',
  'bus',
  'node',
  'platform-session',
]);

/**
 * @throws TypeError or RangeError that names the option. SessionError `INVALID_KIND` for the name.
 */
export function resolveHandleOptions(store: unknown, options: HandleOptions): ResolvedHandleOptions {
  checkStore(store, 'defineHandle');
  checkOptions(options, NAMES, 'defineHandle');
  if (options.name === undefined) {
    throw new TypeError('Option name of defineHandle is missing; give a lower-case word such as cart');
  }
  const name = checkKind(options.name, 'Option name');
  if (RESERVED.has(name)) {
    throw new SessionError(
      'INVALID_KIND',
      `Option name ${quote(name)} is the kind of records of these packages; choose another`,
    );
  }
  return {
    name,
    ttlMs: positive('ttlMs', options.ttlMs, DAY),
    maxLifetimeMs: optional('maxLifetimeMs', options.maxLifetimeMs),
    maxPerPrincipal: optional('maxPerPrincipal', options.maxPerPrincipal),
    expiredMs: positive('expiredMs', options.expiredMs, DAY),
  };
}
