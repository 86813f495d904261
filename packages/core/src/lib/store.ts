import type { Processes, ProcessStore } from './api/processes.ts';
import type { SessionKind } from './api/session-kind.ts';
import type { SessionList } from './api/session-list.ts';
import type { SessionStore } from './api/session-store.ts';
import type { Session } from './api/session.ts';
import type { UserRecord } from './api/user-record.ts';
import { AppendQueue } from './append/append-queue.ts';
import { Retention } from './append/retention.ts';
import type { SessionBackend } from './contract/backend.ts';
import type { Capabilities } from './contract/capabilities.ts';
import { checkBackend } from './options/check-backend.ts';
import type { SessionKindOptions } from './options/kind-options.ts';
import {
  checkEndAll,
  type CountSessionsOptions,
  type CreateSessionOptions,
  type EndAllSessionsOptions,
  type GetSessionOptions,
  type ListSessionsOptions,
} from './options/session-options.ts';
import { resolveOptions, type ResolvedOptions, type SessionStoreOptions } from './options/store-options.ts';
import type { UserRecordOptions } from './options/user-options.ts';
import { Gate } from './runtime/gate.ts';
import { KeyedLock } from './runtime/keyed-lock.ts';
import { ObservedBackend } from './runtime/observed-backend.ts';
import { Rests } from './runtime/rests.ts';
import { LEAST_ROWS, nextRows, Sweeper } from './runtime/sweeper.ts';
import type { StoreInternals } from './session/context.ts';
import { endSessions } from './session/ending.ts';
import { KindHandle, Sessions } from './sessions.ts';
import { openUserRecord } from './user-record.ts';
import { printAsJson } from './values/inspect.ts';
import type { StateSchemas } from './values/standard-schema.ts';
import { WakeUps } from './wake-ups/wake-ups.ts';

/** What may be printed of a store. */
interface StoreSummary extends Pick<ResolvedOptions, 'ttlMs' | 'maxLifetimeMs' | 'sweep'> {
  readonly backend: string;
  readonly closed: boolean;
}

/** A store, as its users see it. */
class StoreHandle<S extends StateSchemas> implements SessionStore<S>, ProcessStore {
  static {
    printAsJson(this, 'SessionStore');
  }

  readonly #shared: StoreInternals;
  readonly #sessions: Sessions<S>;
  readonly #sweeper: Sweeper | undefined;
  #closing: Promise<void> | undefined;

  constructor(backend: ObservedBackend, gate: Gate, options: ResolvedOptions) {
    const { clock, sweep, onError } = options;
    const rests = new Rests(backend.capabilities);
    const wakeUps = new WakeUps(backend, clock);
    const retention = new Retention(backend, gate, rests, options);
    const appends = new AppendQueue(backend, gate, clock, { wakeUps, retention });
    this.#shared = { backend, gate, rests, options, appends, wakeUps, updates: new KeyedLock() };
    this.#sessions = new Sessions<S>(this.#shared);
    this.#sweeper = sweep === false ? undefined : new Sweeper(sweep.intervalMs, () => this.#sweep(false), onError);
  }

  get backendName(): string {
    return this.#shared.backend.name;
  }

  get capabilities(): Capabilities {
    return this.#shared.backend.capabilities;
  }

  get processes(): Processes | undefined {
    const { identifyProcess, findEndedProcesses } = this.#shared.backend;
    if (identifyProcess === undefined || findEndedProcesses === undefined) return undefined;
    return { identify: identifyProcess, findEnded: findEndedProcesses };
  }

  /** For `givenTtlOf`. */
  get givenTtlMs(): number | undefined {
    return this.#shared.options.givenTtlMs;
  }

  create(options: CreateSessionOptions = {}): Promise<Session<S>> {
    return this.#sessions.create(options);
  }

  get(id: string, options: GetSessionOptions = {}): Promise<Session<S> | undefined> {
    return this.#sessions.get(id, options);
  }

  inspect(id: string): Promise<Session<S> | undefined> {
    return this.#sessions.inspect(id);
  }

  list(options: ListSessionsOptions = {}): Promise<SessionList<S>> {
    return this.#sessions.list(options);
  }

  count(options: CountSessionsOptions = {}): Promise<number> {
    return this.#sessions.count(options);
  }

  ofKind<const K extends StateSchemas = StateSchemas>(
    kind: string,
    options: SessionKindOptions<K> = {},
  ): SessionKind<K> {
    return new KindHandle<K>(this.#shared, kind, options);
  }

  forPrincipal<const U extends StateSchemas = StateSchemas>(
    principal: string,
    options: UserRecordOptions<U> = {},
  ): UserRecord<U> {
    return openUserRecord<U>(this.#shared, principal, options, () => this.#sweep(true));
  }

  async countByKind(): Promise<ReadonlyMap<string, number>> {
    const { backend, options } = this.#shared;
    return backend.countKinds(options.clock());
  }

  async endAll(asking: EndAllSessionsOptions): Promise<number> {
    const { query, keepId } = checkEndAll(asking);
    return endSessions(this.#shared, query, keepId);
  }

  sweep(): Promise<number> {
    return this.#sweep(true);
  }

  async #sweep(keepAlive: boolean): Promise<number> {
    const { backend, options, rests } = this.#shared;
    const stepRows = options.sweep === false ? 1_000 : options.sweep.stepRows;
    const { blocksThread } = backend.capabilities;
    // If a step blocks all other calls, start with few rows.
    let rows = blocksThread ? Math.min(LEAST_ROWS, stepRows) : stepRows;
    let removed = 0;
    for (;;) {
      const startedAt = performance.now();
      const now = options.clock();
      const { ids, done } = await backend.sweep(rows, now);
      removed += ids.length;
      if (done) return removed;
      if (blocksThread) rows = nextRows(rows, performance.now() - startedAt, stepRows);
      await rests.after(startedAt, keepAlive);
    }
  }

  async ping(): Promise<void> {
    await this.#shared.backend.ping();
  }

  toJSON(): StoreSummary {
    const { backend, gate, options } = this.#shared;
    const { ttlMs, maxLifetimeMs, sweep } = options;
    return { backend: backend.name, closed: gate.closed, ttlMs, maxLifetimeMs, sweep };
  }

  close(): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  async #close(): Promise<void> {
    this.#sweeper?.stop();
    const { backend, gate, rests, wakeUps } = this.#shared;
    const idle = gate.close();
    rests.close();
    try {
      await wakeUps.close();
    } finally {
      await idle;
      await backend.close();
    }
  }
}

/**
 * Opens a session store on any backend after bringing its schema up to date. For authors of
 * backends; users call `createMemoryStore`, `createSqliteStore` and the like.
 *
 * @throws SessionError like the backend's `migrate`; the backend is closed then.
 * @throws TypeError if the value is no backend. RangeError or TypeError for an option.
 */
export async function createSessionStore<const S extends StateSchemas = StateSchemas>(
  backend: SessionBackend,
  options: SessionStoreOptions<S> = {},
): Promise<SessionStore<S>> {
  checkBackend(backend);
  try {
    const resolved = resolveOptions(options, backend.capabilities);
    const gate = new Gate();
    const observed = new ObservedBackend(backend, gate, resolved.observe);
    await observed.migrate();
    return new StoreHandle<S>(observed, gate, resolved);
  } catch (error) {
    // Report why opening failed, whether closing works or not.
    await backend.close().catch(() => undefined);
    throw error;
  }
}
