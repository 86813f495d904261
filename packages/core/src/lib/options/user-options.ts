import { checkOptions, type OptionNames } from '../values/option-checks.ts';
import type { StateSchemas } from '../values/standard-schema.ts';
import type { SessionKindOptions } from './kind-options.ts';

/** Options of `SessionStore.forPrincipal`. Give the same ones wherever the record is used. */
export interface UserRecordOptions<S extends StateSchemas = StateSchemas> {
  /**
   * Schemas of the state keys, as in the store's option `state`.
   *
   * Default: any key and any JSON value, typed `any`, whatever the store declares.
   */
  readonly state?: S;
  /**
   * How long the record lives after its last use, in milliseconds. A record that is only read may
   * expire earlier by a thousandth of this time.
   *
   * Default: 90 days (`7_776_000_000`).
   */
  readonly ttlMs?: number;
  /**
   * Longest life of the record, in milliseconds from its first write.
   *
   * Default: `undefined`, no such bound.
   */
  readonly maxLifetimeMs?: number;
}

const DEFAULT_TTL_MS = 90 * 86_400_000;

/** The options of a user's record, each with names that are mistaken for it. */
export const userRecordOptions: OptionNames<UserRecordOptions> = {
  state: ['schema', 'schemas', 'stateSchema'],
  ttlMs: ['ttl', 'timeToLive', 'maxAge', 'expiresIn'],
  maxLifetimeMs: ['lifetime', 'absoluteTimeout'],
};

/** @throws TypeError for a name; `resolveKind` checks the values. */
export function kindOptionsOf<S extends StateSchemas>(options: UserRecordOptions<S>): SessionKindOptions<S> {
  checkOptions(options, userRecordOptions, 'forPrincipal');
  return { ...options, ttlMs: options.ttlMs ?? DEFAULT_TTL_MS };
}
