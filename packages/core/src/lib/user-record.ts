import { createHash } from 'node:crypto';
import { setTimeout as pause } from 'node:timers/promises';
import type { SessionState, StateEntry } from './api/session-state.ts';
import type { Session } from './api/session.ts';
import type { UserRecord } from './api/user-record.ts';
import { notFound, SessionError } from './errors.ts';
import { resolveKind } from './options/kind-options.ts';
import { kindOptionsOf, type UserRecordOptions } from './options/user-options.ts';
import type { StoreInternals } from './session/context.ts';
import { Sessions } from './sessions.ts';
import { StateCodec } from './state/codec.ts';
import { checkPrincipal, checkStateKey } from './values/ids.ts';
import { checkFunction } from './values/option-checks.ts';
import type { StateInput, StateKey, StateOutput, StateSchemas } from './values/standard-schema.ts';

/** The kind of the records of users. */
const USER_KIND = 'user';

/** How often a record is created anew while it disappears between two calls. */
const MAX_ATTEMPTS = 5;

/** Names the one record of a principal, without showing the principal. */
function userRecordId(principal: string): string {
  return `user_${createHash('sha256').update('mcp-session user record\0').update(principal).digest('base64url')}`;
}

/** Finds the session of one record, and creates it where it is missing. */
class RecordOpener<S> {
  readonly #sessions: Sessions<S>;
  readonly #sweep: () => Promise<unknown>;
  readonly #id: string;
  readonly #principal: string;
  #known: Session<S> | undefined;
  #creating: Promise<Session<S>> | undefined;

  constructor(sessions: Sessions<S>, principal: string, sweep: () => Promise<unknown>) {
    this.#sessions = sessions;
    this.#sweep = sweep;
    this.#id = userRecordId(principal);
    this.#principal = principal;
  }

  /** @returns `undefined` if there is no live record. */
  async find(): Promise<Session<S> | undefined> {
    this.#known ??= await this.#sessions.get(this.#id, { principal: this.#principal });
    return this.#known;
  }

  async findOrCreate(): Promise<Session<S>> {
    const found = await this.find();
    if (found !== undefined) return found;
    this.#creating ??= this.#create().finally(() => (this.#creating = undefined));
    return this.#creating;
  }

  /** Runs work with the live record; `absent` is the answer where there is none. */
  async use<T>(work: (session: Session<S>) => Promise<T>, absent: T): Promise<T> {
    for (let attempt = 1; attempt <= MAX_ATTEMPTS; attempt++) {
      const session = await this.find();
      if (session === undefined) return absent;
      const done = await this.#try(session, work);
      if (done !== undefined) return done.value;
    }
    return absent;
  }

  /** Runs a write, with a record that begins if there is none. */
  async write<T>(work: (session: Session<S>) => Promise<T>): Promise<T> {
    for (let attempt = 1; attempt <= MAX_ATTEMPTS; attempt++) {
      const done = await this.#try(await this.findOrCreate(), work);
      if (done !== undefined) return done.value;
    }
    throw notFound();
  }

  /** @returns `undefined` if the session was gone, so that nothing was written. */
  async #try<T>(session: Session<S>, work: (session: Session<S>) => Promise<T>): Promise<{ value: T } | undefined> {
    try {
      return { value: await work(session) };
    } catch (error) {
      if (!(error instanceof SessionError) || error.code !== 'SESSION_NOT_FOUND') throw error;
      if (this.#known === session) this.#known = undefined;
      return undefined;
    }
  }

  async #create(): Promise<Session<S>> {
    for (let attempt = 1; ; attempt++) {
      try {
        this.#known = await this.#sessions.create({ id: this.#id, principal: this.#principal });
        return this.#known;
      } catch (error) {
        const taken = error instanceof SessionError && error.code === 'SESSION_EXISTS';
        if (!taken || attempt > MAX_ATTEMPTS) throw error;
      }
      // Another call was faster, or the id is that of a record that has expired or was ended, and
      // waits for a sweep.
      const found = await this.find();
      if (found !== undefined) return found;
      if (attempt > 1) await pause(10 * attempt);
      await this.#sweep();
    }
  }
}

/** The state of a record that may not exist yet. */
class UserState<S> implements SessionState<S> {
  readonly #opener: RecordOpener<S>;
  readonly #codec: StateCodec;

  constructor(opener: RecordOpener<S>, codec: StateCodec) {
    this.#opener = opener;
    this.#codec = codec;
  }

  async get<K extends StateKey<S>>(key: K): Promise<StateOutput<S, K> | undefined> {
    this.#codec.checkDeclared(key);
    return this.#opener.use(({ state }) => state.get(key), undefined);
  }

  async getEntry<K extends StateKey<S>>(key: K): Promise<StateEntry<StateOutput<S, K>> | undefined> {
    this.#codec.checkDeclared(key);
    return this.#opener.use(({ state }) => state.getEntry(key), undefined);
  }

  async set<K extends StateKey<S>>(key: K, value: StateInput<S, K>): Promise<number> {
    this.#codec.checkDeclared(key);
    return this.#opener.write(({ state }) => state.set(key, value));
  }

  async compareAndSet<K extends StateKey<S>>(
    key: K,
    value: StateInput<S, K>,
    expectedVersion: number,
  ): Promise<number> {
    this.#codec.checkDeclared(key);
    return this.#opener.write(({ state }) => state.compareAndSet(key, value, expectedVersion));
  }

  async update<K extends StateKey<S>>(
    key: K,
    change: (current: StateOutput<S, K> | undefined) => never,
  ): Promise<StateOutput<S, K>> {
    this.#codec.checkDeclared(key);
    checkFunction('change', change, 'update');
    return this.#opener.write(({ state }) => state.update(key, change));
  }

  async remove(key: string): Promise<boolean> {
    checkStateKey(key);
    return this.#opener.use(({ state }) => state.remove(key), false);
  }

  keys(): Promise<string[]> {
    return this.#opener.use(({ state }) => state.keys(), []);
  }

  entries(): Promise<Map<StateKey<S>, StateOutput<S, StateKey<S>>>> {
    return this.#opener.use(({ state }) => state.entries(), new Map<StateKey<S>, StateOutput<S, StateKey<S>>>());
  }

  snapshot(): Promise<Map<string, StateEntry<unknown>>> {
    return this.#opener.use(({ state }) => state.snapshot(), new Map<string, StateEntry<unknown>>());
  }

  patch(changes: Parameters<SessionState<S>['patch']>[0]): Promise<void> {
    return this.#opener.write(({ state }) => state.patch(changes));
  }

  clear(): Promise<number> {
    return this.#opener.use(({ state }) => state.clear(), 0);
  }
}

/**
 * @param sweep Removes what has expired or was ended.
 * @throws SessionError `INVALID_PRINCIPAL`. TypeError or RangeError for an option.
 */
export function openUserRecord<S extends StateSchemas>(
  shared: StoreInternals,
  principal: string,
  given: UserRecordOptions<S>,
  sweep: () => Promise<unknown>,
): UserRecord<S> {
  checkPrincipal(principal);
  const options = resolveKind(USER_KIND, kindOptionsOf(given), shared.options);
  const opener = new RecordOpener<S>(new Sessions<S>({ ...shared, options }, USER_KIND), principal, sweep);
  return {
    principal,
    state: new UserState<S>(opener, new StateCodec(options)),
    end: () => opener.use((session) => session.end({ keepId: false }), false),
  };
}
