import { setTimeout as pause } from 'node:timers/promises';
import { StateConflictError } from '../errors.ts';
import { synchronous } from '../runtime/synchronous.ts';
import type { REMOVE } from './removal.ts';
import type { StateResult, StateRow, StateWrite } from '../contract/rows.ts';
import type { SessionContext } from '../session/context.ts';
import { checkVersion, limitError, removal, sorted, StateCodec } from './codec.ts';
import { changesOf, checkPatchBytes } from './patch.ts';
import type { StateInput, StateKey, StateOutput } from '../values/standard-schema.ts';

/** How often `update` may lose against writers in other processes before it gives up. Each loss is another's success. */
const MAX_UPDATE_ATTEMPTS = 200;

/** A value with its version, for {@link SessionState.compareAndSet}. */
export interface StateEntry<T> {
  readonly value: T;
  /** Grows with each write of the session's state and never repeats, also after a removal. */
  readonly version: number;
}

// Nobody has it. Where a signature asks for a unique symbol, TypeScript does not take `() => REMOVE` for a function that returns any `symbol`.
declare const SOME_SYMBOL: unique symbol;

type Committed = Extract<StateResult, { readonly status: 'committed' }>;

/**
 * The state of a session: JSON values by key, each key on its own, so that writers of different keys never overwrite each other.
 *
 * `null` is a value; a key that does not exist reads as `undefined`. Every method throws a SessionError `SESSION_NOT_FOUND` when the session has expired
 * or was ended, `INVALID_STATE_KEY` for a key that is no text of 1 to 255 bytes of UTF-8, `STATE_KEY_UNDECLARED` for one that the store's `state`
 * option does not declare, and `STORE_…` when the database fails. Every use renews the session.
 */
export class SessionState<S> {
  readonly #session: SessionContext;
  readonly #codec: StateCodec;

  /** @internal */
  constructor(session: SessionContext) {
    this.#session = session;
    this.#codec = new StateCodec(session.shared.options);
  }

  /**
   * Reads a value.
   *
   * @returns `undefined` where the key does not exist.
   * @throws StateValidationError `INVALID_STATE_VALUE` where what is stored does not fit the key's schema.
   */
  async get<K extends StateKey<S>>(key: K): Promise<StateOutput<S, K> | undefined> {
    this.#codec.checkDeclared(key);
    const row = this.#session.alive(await this.#readAlone([key]))[0];
    return row && (this.#codec.parse(row) as StateOutput<S, K>);
  }

  /** Reads a value with its version; otherwise as {@link get}. */
  async getEntry<K extends StateKey<S>>(key: K): Promise<StateEntry<StateOutput<S, K>> | undefined> {
    this.#codec.checkDeclared(key);
    const row = this.#session.alive(await this.#readAlone([key]))[0];
    return row && { value: (await this.#codec.parse(row)) as StateOutput<S, K>, version: row.version };
  }

  /**
   * Writes a value.
   *
   * @returns The key's new version.
   * @throws SessionError `NOT_JSON`, `INVALID_STATE_VALUE`, `STATE_VALUE_TOO_LARGE` or `STATE_LIMIT_EXCEEDED`; nothing is written then.
   */
  async set<K extends StateKey<S>>(key: K, value: StateInput<S, K>): Promise<number> {
    const write = this.#codec.encode(key, value, undefined);
    return (await this.#commit([write instanceof Promise ? await write : write])).version;
  }

  /**
   * Writes a value if the key has the expected version; 0: if it does not exist.
   *
   * @returns The key's new version.
   * @throws StateConflictError `STATE_CONFLICT` with the current version; nothing is written then. And as {@link set}.
   */
  async compareAndSet<K extends StateKey<S>>(
    key: K,
    value: StateInput<S, K>,
    expectedVersion: number,
  ): Promise<number> {
    checkVersion(expectedVersion);
    const write = await this.#codec.encode(key, value, expectedVersion);
    return (await this.#commit([write])).version;
  }

  /**
   * Replaces a value by what `change` makes of it, atomically, however many processes do so at once. `change` must not be asynchronous and can be called again
   * with a newer value. When it returns {@link REMOVE} the key is removed, if it exists.
   *
   * @returns The value as it is then stored, as {@link get} would read it; `undefined` where it was removed.
   * @throws StateConflictError `STATE_CONFLICT` after 200 lost attempts. TypeError where `change` returns `undefined` or a promise. And as {@link get} and
   * {@link set}; what `change` throws.
   */
  async update<K extends StateKey<S>>(
    key: K,
    change: (current: StateOutput<S, K> | undefined) => StateInput<S, K> | typeof SOME_SYMBOL,
  ): Promise<StateOutput<S, K>>;
  async update<K extends StateKey<S>>(
    key: K,
    change: (current: StateOutput<S, K> | undefined) => StateInput<S, K> | typeof REMOVE,
  ): Promise<StateOutput<S, K> | undefined>;
  async update<K extends StateKey<S>>(
    key: K,
    change: (current: StateOutput<S, K> | undefined) => StateInput<S, K> | symbol,
  ): Promise<StateOutput<S, K> | undefined> {
    this.#codec.checkDeclared(key);
    const { operations, updates } = this.#session.shared;
    const name = `${this.#session.id} ${key}`;
    // In one process, updates of a key run one after another: they would only lose against each other.
    const value = await operations.run(() =>
      updates.run(name, () => this.#update(key, change as (current: unknown) => unknown)),
    );
    return value as StateOutput<S, K> | undefined;
  }

  /**
   * Removes a key, declared or not.
   *
   * @returns Whether it existed.
   */
  async remove(key: string): Promise<boolean> {
    return (await this.#commit([removal(key, undefined)])).existed[0] === true;
  }

  /** The keys that exist, declared or not, in the order of their UTF-16 code units. */
  async keys(): Promise<string[]> {
    return sorted(this.#session.alive(await this.#readAlone(undefined))).map((row) => row.key);
  }

  /** All keys and their values as of one moment, ordered as {@link keys}. A key that is not declared is left out where keys are declared. */
  async entries(): Promise<Map<StateKey<S>, StateOutput<S, StateKey<S>>>> {
    const rows = sorted(this.#session.alive(await this.#readAlone(undefined)));
    const entries = new Map<StateKey<S>, StateOutput<S, StateKey<S>>>();
    for (const row of rows)
      if (this.#codec.isDeclared(row.key))
        entries.set(row.key as StateKey<S>, (await this.#codec.parse(row)) as StateOutput<S, StateKey<S>>);
    return entries;
  }

  /**
   * Writes up to 64 keys together, all or nothing: a reader sees the whole patch or none of it. {@link REMOVE} as a value removes a key.
   *
   * @param changes An object, or a map or list of pairs where keys come from outside (`__proto__`).
   * @throws SessionError As {@link set}, also for `undefined` as a value; `STATE_LIMIT_EXCEEDED` for more than 64 keys or 2 MiB in one patch.
   */
  async patch(
    changes:
      | { readonly [K in StateKey<S>]?: StateInput<S, K> | typeof REMOVE }
      | Iterable<readonly [StateKey<S>, unknown]>,
  ): Promise<void> {
    const pairs = changesOf(changes);
    if (pairs.size === 0) {
      const { id, shared } = this.#session;
      shared.operations.checkOpen();
      this.#session.alive(await this.#session.read('readSession', (backend, now) => backend.readSession(id, now)));
      return;
    }
    // All are encoded before any schema is waited for: what the caller does to the values meanwhile is not written.
    const writes = await Promise.all(
      [...pairs].map(async ([key, value]) => this.#codec.encodeChange(key, value, undefined)),
    );
    checkPatchBytes(writes);
    await this.#commit(writes);
  }

  /**
   * Removes all keys in one step, declared or not.
   *
   * @returns How many there were.
   */
  async clear(): Promise<number> {
    const { id, now, shared } = this.#session;
    const expiresAt = this.#session.expiryAt(now);
    shared.operations.checkOpen();
    const removed = this.#session.alive(
      await shared.operations.call('clearState', (backend) => backend.clearState(id, expiresAt, now)),
    );
    this.#session.renewed(now);
    return removed;
  }

  async #update(key: string, change: (current: unknown) => unknown): Promise<unknown> {
    let [row] = this.#session.alive(await this.#read([key]));
    for (let attempt = 1; ; attempt++) {
      const current = row && this.#codec.parse(row);
      const next = synchronous(change(current instanceof Promise ? await current : current), 'update');
      if (next === undefined)
        throw new TypeError(
          'The function given to update returned undefined; return the new value, also where it was changed in place, or REMOVE to remove the key',
        );
      const encoded = this.#codec.encodeChange(key, next, row?.version ?? 0);
      const write = encoded instanceof Promise ? await encoded : encoded;
      const { now } = this.#session;
      const result = this.#outcome(await this.#send([write], now), now);
      if (result.status === 'committed')
        return write.value === undefined ? undefined : this.#codec.parse({ key, value: write.value });
      if (attempt === MAX_UPDATE_ATTEMPTS)
        throw new StateConflictError(key, write.expectedVersion ?? 0, result.current?.version ?? 0);
      row = result.current;
      if (attempt > 3) await pause(Math.random() * Math.min(attempt, 20));
    }
  }

  #read(keys: readonly string[] | undefined): Promise<readonly StateRow[] | undefined> {
    const { id } = this.#session;
    return this.#session.read('readState', (backend, now) => backend.readState(id, keys, now));
  }

  /** A read that is all of a piece of work. */
  #readAlone(keys: readonly string[] | undefined): Promise<readonly StateRow[] | undefined> {
    this.#session.shared.operations.checkOpen();
    return this.#read(keys);
  }

  async #commit(writes: readonly StateWrite[]): Promise<Committed> {
    const { now, shared } = this.#session;
    shared.operations.checkOpen();
    const result = this.#outcome(await this.#send(writes, now), now);
    if (result.status === 'committed') return result;
    const { expectedVersion = 0 } = writes.find((write) => write.key === result.key) ?? {};
    throw new StateConflictError(result.key, expectedVersion, result.current?.version ?? 0);
  }

  #send(writes: readonly StateWrite[], now: number): Promise<StateResult | undefined> {
    const { id: sessionId, shared } = this.#session;
    const { maxKeys, maxTotalBytes: maxBytes } = shared.options.stateLimits;
    const commit = { sessionId, writes, limits: { maxKeys, maxBytes }, expiresAt: this.#session.expiryAt(now) };
    return shared.operations.call('commitState', (backend) => backend.commitState(commit, now));
  }

  /** Of what {@link #send} resolved with. */
  #outcome(result: StateResult | undefined, now: number): Exclude<StateResult, { readonly status: 'limit' }> {
    const outcome = this.#session.alive(result);
    if (outcome.status === 'committed') this.#session.renewed(now);
    if (outcome.status !== 'limit') return outcome;
    throw limitError(outcome.limit, this.#session.shared.options.stateLimits);
  }
}
