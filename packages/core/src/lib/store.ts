import type { SessionList, SessionStore } from './api/session-store.ts';
import type { Session } from './api/session.ts';
import { AppendQueue } from './append/append-queue.ts';
import type { SessionBackend } from './contract/backend.ts';
import type { Capabilities } from './contract/capabilities.ts';
import { SessionError } from './errors.ts';
import { checkSessionId, isSessionId, newSessionId } from './values/ids.ts';
import { Gate } from './runtime/gate.ts';
import { ObservedBackend } from './runtime/observed-backend.ts';
import { Rests } from './runtime/rests.ts';
import { optional, positive } from './values/option-checks.ts';
import { resolveOptions, type ResolvedOptions, type SessionStoreOptions } from './options/store-options.ts';
import { encodeProfile } from './session/profile.ts';
import { Retention } from './append/retention.ts';
import type { SessionRow } from './contract/rows.ts';
import { KeyedLock } from './runtime/keyed-lock.ts';
import { expiryOf, type StoreInternals } from './session/context.ts';
import { endSessions } from './session/ending.ts';
import { SessionHandle } from './session.ts';
import { printAsJson } from './values/inspect.ts';
import type { StateSchemas } from './values/standard-schema.ts';
import {
  checkAsked,
  checkEndAll,
  type CountSessionsOptions,
  type CreateSessionOptions,
  type EndAllSessionsOptions,
  type GetSessionOptions,
  type ListSessionsOptions,
} from './options/session-options.ts';
import { LEAST_ROWS, nextRows, Sweeper } from './runtime/sweeper.ts';
import { WakeUps } from './wake-ups/wake-ups.ts';

/** What may be printed of a store. */
interface StoreSummary extends Pick<ResolvedOptions, 'ttlMs' | 'maxLifetimeMs' | 'sweep'> {
  readonly backend: string;
  readonly closed: boolean;
}

/** A store, as its users see it. */
class StoreHandle<S extends StateSchemas> implements SessionStore<S> {
  static {
    printAsJson(this, 'SessionStore');
  }

  readonly #shared: StoreInternals;
  readonly #sweeper: Sweeper | undefined;
  #closing: Promise<void> | undefined;

  constructor(backend: ObservedBackend, gate: Gate, options: ResolvedOptions) {
    const { clock, sweep } = options;
    const rests = new Rests(backend.capabilities);
    const wakeUps = new WakeUps(backend, clock);
    const retention = new Retention(backend, gate, rests, options);
    const appends = new AppendQueue(backend, gate, clock, { wakeUps, retention });
    this.#shared = { backend, gate, rests, options, appends, wakeUps, updates: new KeyedLock() };
    this.#sweeper = sweep === false ? undefined : new Sweeper(sweep.intervalMs, () => this.#sweep(false));
  }

  get backendName(): string {
    return this.#shared.backend.name;
  }

  get capabilities(): Capabilities {
    return this.#shared.backend.capabilities;
  }

  async create(options: CreateSessionOptions = {}): Promise<Session<S>> {
    const now = this.#shared.options.clock();
    const { kind, principal } = checkAsked(options, 'create');
    const { metadata = {}, protocol = {} } = options;
    const ownTtlMs = optional('ttlMs', options.ttlMs);
    const ownLifetimeMs = optional('maxLifetimeMs', options.maxLifetimeMs);
    const own = {
      ...(ownTtlMs !== undefined && { ttlMs: ownTtlMs }),
      ...(ownLifetimeMs !== undefined && { maxLifetimeMs: ownLifetimeMs }),
    };
    const { ttlMs, maxLifetimeMs } = { ...this.#shared.options, ...own };
    const session = {
      id: options.id === undefined ? newSessionId(now) : checkSessionId(options.id),
      kind,
      principal: principal ?? null,
      profile: encodeProfile({ metadata, protocol, ...own }),
      expiresAt: expiryOf({ ttlMs, maxLifetimeMs }, now, now),
    };
    const created = await this.#shared.backend.createSession(session, now);
    if (!created) throw new SessionError('SESSION_EXISTS', 'Session id is taken');
    return new SessionHandle<S>(
      this.#shared,
      { ...session, version: 1, createdAt: now, touchedAt: now, lastSeq: 0 },
      true,
    );
  }

  async get(id: string, asking: GetSessionOptions = {}): Promise<Session<S> | undefined> {
    const { backend, gate, options } = this.#shared;
    const { kind, principal = null } = checkAsked(asking, 'get');
    const asker = { kind, principal };
    return gate.run(async () => {
      if (!isSessionId(id)) return undefined;
      const now = options.clock();
      const row = await backend.begun.readSession(id, now, asker);
      // The database has compared already. This check keeps a session from strangers whatever a
      // backend forgets.
      if (row === undefined || row.kind !== kind || (row.principal !== null && row.principal !== principal)) {
        return undefined;
      }
      const session = new SessionHandle<S>(this.#shared, row, true);
      return (await session.renewIfDue()) ? session : undefined;
    });
  }

  async inspect(id: string): Promise<Session<S> | undefined> {
    const { backend, gate, options } = this.#shared;
    return gate.run(async () => {
      if (!isSessionId(id)) return undefined;
      const row = await backend.begun.readSession(id, options.clock());
      return row && new SessionHandle<S>(this.#shared, row, false);
    });
  }

  async list(asking: ListSessionsOptions = {}): Promise<SessionList<S>> {
    const { backend, options } = this.#shared;
    const asked = checkAsked(asking, 'list');
    const { cursor, limit } = asking;
    const query = {
      ...asked,
      afterId: cursor === undefined ? undefined : checkSessionId(cursor),
      limit: positive('limit', limit, 100, 1_000),
    };
    const now = options.clock();
    const page = await backend.listSessions(query, now);
    return {
      sessions: page.rows.map((row: SessionRow) => new SessionHandle<S>(this.#shared, row, false)),
      nextCursor: page.nextAfterId,
    };
  }

  async count(asking: CountSessionsOptions = {}): Promise<number> {
    const { backend, options } = this.#shared;
    return backend.countSessions(checkAsked(asking, 'count'), options.clock());
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
 * @throws RangeError or TypeError for an option.
 */
export async function createSessionStore<const S extends StateSchemas = StateSchemas>(
  backend: SessionBackend,
  options: SessionStoreOptions<S> = {},
): Promise<SessionStore<S>> {
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
