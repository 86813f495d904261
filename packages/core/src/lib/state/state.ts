import type { SessionState, StateEntry } from '../api/session-state.ts';
import { StateConflictError } from '../errors.ts';
import { synchronous } from '../runtime/synchronous.ts';
import { pauseAfterLoss } from '../runtime/rests.ts';
import { checkFunction } from '../values/option-checks.ts';
import type { Remove } from '../values/remove.ts';
import type { SessionBackend } from '../contract/backend.ts';
import type { StateResult, StateRow, StateWrite } from '../contract/rows.ts';
import type { SessionContext } from '../session/context.ts';
import { decode } from '../values/json.ts';
import { checkVersion, limitError, removal, sorted, StateCodec } from './codec.ts';
import { changesOf, checkPatchBytes } from './patch.ts';
import type { StateInput, StateKey, StateOutput } from '../values/standard-schema.ts';

/**
 * How often `update` may lose against writers in other processes. Each loss is another's success.
 */
const MAX_UPDATE_ATTEMPTS = 200;

type Committed = Extract<StateResult, { readonly status: 'committed' }>;

/** The state of one session, as its users see it. */
export class StateHandle<S> implements SessionState<S> {
  readonly #session: SessionContext;
  readonly #codec: StateCodec;

  constructor(session: SessionContext) {
    this.#session = session;
    this.#codec = new StateCodec(session.shared.options);
  }

  async get<K extends StateKey<S>>(key: K): Promise<StateOutput<S, K> | undefined> {
    this.#codec.checkDeclared(key);
    const row = this.#session.alive(await this.#read([key]))[0];
    return row && ((await this.#codec.parse(row)) as StateOutput<S, K>);
  }

  async getEntry<K extends StateKey<S>>(key: K): Promise<StateEntry<StateOutput<S, K>> | undefined> {
    this.#codec.checkDeclared(key);
    const row = this.#session.alive(await this.#read([key]))[0];
    return row && { value: (await this.#codec.parse(row)) as StateOutput<S, K>, version: row.version };
  }

  async set<K extends StateKey<S>>(key: K, value: StateInput<S, K>): Promise<number> {
    const write = this.#codec.encode(key, value, undefined);
    // Without schemas the call begins at once, so a `close` that follows waits for it.
    if (this.#codec.hasSchemas) await this.#codec.validate([write]);
    return (await this.#commit([write])).version;
  }

  async compareAndSet<K extends StateKey<S>>(
    key: K,
    value: StateInput<S, K>,
    expectedVersion: number,
  ): Promise<number> {
    checkVersion(expectedVersion);
    const write = this.#codec.encode(key, value, expectedVersion);
    if (this.#codec.hasSchemas) await this.#codec.validate([write]);
    return (await this.#commit([write])).version;
  }

  async update<K extends StateKey<S>>(
    key: K,
    change: (current: StateOutput<S, K> | undefined) => StateInput<S, K> | symbol,
  ): Promise<StateOutput<S, K>> {
    this.#codec.checkDeclared(key);
    checkFunction('change', change, 'update');
    const { gate, updates } = this.#session.shared;
    const name = `${this.#session.id} ${key}`;
    // In one process, updates of a key run one after another: they would only lose against each
    // other.
    const value = await gate.run(() =>
      updates.run(name, () => this.#update(key, change as (current: unknown) => unknown)),
    );
    return value as StateOutput<S, K>;
  }

  async remove(key: string): Promise<boolean> {
    return (await this.#commit([removal(key, undefined)])).existed[0] === true;
  }

  async keys(): Promise<string[]> {
    return sorted(this.#session.alive(await this.#read(undefined))).map((row) => row.key);
  }

  async entries(): Promise<Map<StateKey<S>, StateOutput<S, StateKey<S>>>> {
    const rows = sorted(this.#session.alive(await this.#read(undefined)));
    const entries = new Map<StateKey<S>, StateOutput<S, StateKey<S>>>();
    for (const row of rows.filter(({ key }) => this.#codec.isDeclared(key))) {
      const value = await this.#codec.parse(row);
      entries.set(row.key as StateKey<S>, value as StateOutput<S, StateKey<S>>);
    }
    return entries;
  }

  async snapshot(): Promise<Map<string, StateEntry<unknown>>> {
    const rows = sorted(this.#session.alive(await this.#read(undefined)));
    return new Map(rows.map(({ key, value, version }) => [key, { value: decode(value, 'state value'), version }]));
  }

  async patch(
    changes: { readonly [K in StateKey<S>]?: StateInput<S, K> | Remove } | Iterable<readonly [StateKey<S>, unknown]>,
  ): Promise<void> {
    const pairs = changesOf(changes);
    if (pairs.size === 0) {
      const { id } = this.#session;
      this.#session.alive(await this.#session.callAndTouch((backend, now) => backend.readSession(id, now)));
      return;
    }
    // Encoded before anything is awaited, so later changes by the caller are not written.
    const writes = [...pairs].map(([key, value]) => this.#codec.encodeChange(key, value, undefined));
    if (this.#codec.hasSchemas) await this.#codec.validate(writes);
    checkPatchBytes(writes);
    await this.#commit(writes);
  }

  async clear(): Promise<number> {
    const { id, now, shared } = this.#session;
    const expiresAt = this.#session.renewalAt(now);
    const removed = this.#session.alive(await shared.backend.clearState(id, expiresAt, now));
    this.#session.noteWrite(now);
    return removed;
  }

  async #update(key: string, change: (current: unknown) => unknown): Promise<unknown> {
    const { begun } = this.#session.shared.backend;
    let [row] = this.#session.alive(await this.#read([key], begun));
    for (let attempt = 1; ; attempt++) {
      const current = row && (await this.#codec.parse(row));
      const next = synchronous(change(current), 'update');
      if (next === undefined) {
        throw new TypeError(
          'The function passed to update returned undefined; return the new value, even if you changed it in place, or REMOVE to remove the key',
        );
      }
      const write = this.#codec.encodeChange(key, next, row?.version ?? 0);
      if (this.#codec.hasSchemas) await this.#codec.validate([write]);
      const { now } = this.#session;
      const result = this.#outcome(await this.#send([write], now, begun), now);
      if (result.status === 'committed') {
        return write.value === undefined ? undefined : this.#codec.parse({ key, value: write.value });
      }
      if (attempt === MAX_UPDATE_ATTEMPTS) {
        throw new StateConflictError(key, write.expectedVersion ?? 0, result.current?.version ?? 0);
      }
      row = result.current;
      await pauseAfterLoss(attempt);
    }
  }

  /**
   * @param backend The backend that refuses nothing, if the read is part of work that has begun.
   */
  #read(keys: readonly string[] | undefined, backend?: SessionBackend): Promise<readonly StateRow[] | undefined> {
    const { id } = this.#session;
    return this.#session.callAndTouch((each, now) => each.readState(id, keys, now), backend);
  }

  async #commit(writes: readonly StateWrite[]): Promise<Committed> {
    const { now, shared } = this.#session;
    const result = this.#outcome(await this.#send(writes, now, shared.backend), now);
    if (result.status === 'committed') return result;
    const { expectedVersion = 0 } = writes.find((write) => write.key === result.key) ?? {};
    throw new StateConflictError(result.key, expectedVersion, result.current?.version ?? 0);
  }

  #send(writes: readonly StateWrite[], now: number, backend: SessionBackend): Promise<StateResult | undefined> {
    const { id: sessionId, shared } = this.#session;
    const { maxKeys, maxTotalBytes: maxBytes } = shared.options.stateLimits;
    const commit = { sessionId, writes, limits: { maxKeys, maxBytes }, expiresAt: this.#session.renewalAt(now) };
    return backend.commitState(commit, now);
  }

  /** Notes the renewal and throws for a limit. Takes the result of {@link #send}. */
  #outcome(result: StateResult | undefined, now: number): Exclude<StateResult, { readonly status: 'limit' }> {
    const outcome = this.#session.alive(result);
    if (outcome.status === 'committed') this.#session.noteWrite(now);
    if (outcome.status !== 'limit') return outcome;
    throw limitError(outcome.limit, this.#session.shared.options.stateLimits);
  }
}
