import type { Remove } from '../values/remove.ts';
import type { StateInput, StateKey, StateOutput } from '../values/standard-schema.ts';

/** A value with its version, for {@link SessionState.compareAndSet}. */
export interface StateEntry<T> {
  readonly value: T;
  /** Grows with each write of the session's state and never repeats, even after a removal. */
  readonly version: number;
}

// No value has this type. Where a signature asks for it, TypeScript does not accept `() => REMOVE`
// as a function that returns any `symbol`.
type SomeSymbol = symbol & { readonly '@mcp-session/core': 'none' };

/**
 * The state of a session: JSON values by key. Writers of different keys never overwrite each other.
 *
 * `null` is a value; a key that does not exist reads as `undefined`. Every use renews the session.
 * Every method throws a SessionError: `SESSION_NOT_FOUND` if the session has expired or was ended,
 * `INVALID_STATE_KEY` for a key that is not 1 to 255 bytes of UTF-8, `STATE_KEY_UNDECLARED` for a
 * key that the store's option `state` does not declare, and `STORE_…` if the database fails.
 */
export interface SessionState<S> {
  /**
   * Reads a value.
   *
   * @returns `undefined` if the key does not exist.
   * @throws StateValidationError `INVALID_STATE_VALUE` if the stored value does not fit the key's
   * schema.
   */
  get<K extends StateKey<S>>(key: K): Promise<StateOutput<S, K> | undefined>;

  /** Reads a value with its version. Otherwise like {@link get}. */
  getEntry<K extends StateKey<S>>(key: K): Promise<StateEntry<StateOutput<S, K>> | undefined>;

  /**
   * Writes a value.
   *
   * @returns The key's new version.
   * @throws SessionError `NOT_JSON`, `INVALID_STATE_VALUE`, `STATE_VALUE_TOO_LARGE` or
   * `STATE_LIMIT_EXCEEDED`; nothing is written then.
   */
  set<K extends StateKey<S>>(key: K, value: StateInput<S, K>): Promise<number>;

  /**
   * Writes a value if the key has the expected version; 0 means that it must not exist.
   *
   * @returns The key's new version.
   * @throws StateConflictError `STATE_CONFLICT` with the current version; nothing is written then.
   * Otherwise like {@link set}.
   */
  compareAndSet<K extends StateKey<S>>(key: K, value: StateInput<S, K>, expectedVersion: number): Promise<number>;

  /**
   * Replaces a value with the result of `change`, atomically, however many processes do so at once.
   * `change` must be synchronous and may be called again with a newer value. If it returns
   * {@link REMOVE}, the key is removed.
   *
   * @example
   * ```ts
   * import { createMemoryStore } from '@mcp-session/core/memory';
   *
   * const store = await createMemoryStore();
   * const { state } = await store.create();
   * await state.update('calls', (calls = 0) => calls + 1);
   * console.log(await state.get('calls')); // 1
   * await store.close();
   * ```
   *
   * @returns The stored value, as {@link get} would read it; `undefined` if the key was removed.
   * @throws StateConflictError `STATE_CONFLICT` after 200 lost attempts.
   * @throws TypeError if `change` returns `undefined` or a promise. Also whatever `change` throws,
   * and the errors of {@link get} and {@link set}.
   */
  update<K extends StateKey<S>>(
    key: K,
    change: (current: StateOutput<S, K> | undefined) => StateInput<S, K> | SomeSymbol,
  ): Promise<StateOutput<S, K>>;
  update<K extends StateKey<S>>(
    key: K,
    change: (current: StateOutput<S, K> | undefined) => StateInput<S, K> | Remove,
  ): Promise<StateOutput<S, K> | undefined>;

  /**
   * Removes a key, declared or not.
   *
   * @returns Whether it existed.
   */
  remove(key: string): Promise<boolean>;

  /** Lists the keys that exist, declared or not, in the order of their UTF-16 code units. */
  keys(): Promise<string[]>;

  /**
   * Reads all keys with their values as of one moment, ordered like {@link keys}. If the store
   * declares keys, undeclared ones are left out.
   */
  entries(): Promise<Map<StateKey<S>, StateOutput<S, StateKey<S>>>>;

  /**
   * Reads all keys as they are stored, declared or not, each with its version, as of one moment and
   * ordered like {@link keys}. No schema is applied. For administration.
   */
  snapshot(): Promise<Map<string, StateEntry<unknown>>>;

  /**
   * Writes up to 64 keys together, all or nothing: a reader sees the whole patch or none of it. The
   * value {@link REMOVE} removes a key.
   *
   * @param changes An object, or a map or list of pairs for keys that come from outside
   * (`__proto__`).
   * @throws SessionError Like {@link set}, also for the value `undefined`; `STATE_LIMIT_EXCEEDED`
   * for more than 64 keys or 2 MiB in one patch.
   */
  patch(
    changes: { readonly [K in StateKey<S>]?: StateInput<S, K> | Remove } | Iterable<readonly [StateKey<S>, unknown]>,
  ): Promise<void>;

  /**
   * Removes all keys in one step, declared or not.
   *
   * @returns How many keys there were.
   */
  clear(): Promise<number>;
}
