import type { SessionList, SessionStore } from './api/session-store.ts';
import type { Session } from './api/session.ts';
import { AppendQueue } from './append/append-queue.ts';
import type { Capabilities, SessionBackend } from './contract/backend.ts';
import { SessionError } from './errors.ts';
import { checkSessionId, isSessionId, newSessionId } from './values/ids.ts';
import { Operations } from './runtime/operations.ts';
import { optional, positive } from './values/option-checks.ts';
import { resolveOptions, type SessionStoreOptions } from './options/store-options.ts';
import { encodeProfile } from './session/profile.ts';
import { Retention } from './append/retention.ts';
import type { SessionRow } from './contract/rows.ts';
import { KeyedLock } from './runtime/keyed-lock.ts';
import { expiryOf, type Shared } from './session/context.ts';
import { SessionHandle } from './session.ts';
import type { StateSchemas } from './values/standard-schema.ts';
import {
  checkAsked,
  type CountSessionsOptions,
  type CreateSessionOptions,
  type GetSessionOptions,
  type ListSessionsOptions,
} from './options/session-options.ts';
import { LEAST_ROWS, nextRows, Sweeper } from './runtime/sweeper.ts';
import { WakeUps } from './wake-ups/wake-ups.ts';

/** A store, as its users see it. */
class StoreHandle<S extends StateSchemas> implements SessionStore<S> {
  readonly #shared: Shared;
  readonly #sweeper: Sweeper | undefined;
  #closing: Promise<void> | undefined;

  constructor(backend: SessionBackend, options: SessionStoreOptions<S>) {
    const resolved = resolveOptions(options, backend.capabilities);
    const operations = new Operations(backend, resolved.observe);
    const wakeUps = new WakeUps(backend, operations, resolved.clock);
    const retention = new Retention(operations, resolved.retention, resolved.clock);
    const appends = new AppendQueue(operations, backend.capabilities, resolved.clock, (request, result) => {
      wakeUps.moved(request.sessionId, result.firstSeq + request.events.length - 1);
      return retention.enforce(request.sessionId, result);
    });
    this.#shared = { backend, operations, options: resolved, appends, wakeUps, updates: new KeyedLock() };
    this.#sweeper =
      resolved.sweep === false ? undefined : new Sweeper(resolved.sweep.intervalMs, () => this.#sweep(false));
  }

  get backendName(): string {
    return this.#shared.backend.name;
  }

  get capabilities(): Capabilities {
    return this.#shared.backend.capabilities;
  }

  async create(options: CreateSessionOptions = {}): Promise<Session<S>> {
    const { operations } = this.#shared;
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
    operations.checkOpen();
    const created = await operations.call('createSession', (backend) => backend.createSession(session, now));
    if (!created) throw new SessionError('SESSION_EXISTS', 'Session id is taken');
    return new SessionHandle<S>(this.#shared, { ...session, version: 1, createdAt: now, touchedAt: now, lastSeq: 0 });
  }

  async get(id: string, asking: GetSessionOptions = {}): Promise<Session<S> | undefined> {
    const { operations, options } = this.#shared;
    const { kind, principal = null } = checkAsked(asking, 'get');
    const asker = { kind, principal };
    return operations.run(async () => {
      if (!isSessionId(id)) return undefined;
      const now = options.clock();
      const row = await operations.call('readSession', (backend) => backend.readSession(id, now, asker));
      // Compared by the database already. Whatever a backend forgets, no session is given to a stranger.
      if (row === undefined || row.kind !== kind || (row.principal !== null && row.principal !== principal))
        return undefined;
      const session = new SessionHandle<S>(this.#shared, row);
      return (await session.renewIfDue()) ? session : undefined;
    });
  }

  async list(asking: ListSessionsOptions = {}): Promise<SessionList<S>> {
    const { operations, options } = this.#shared;
    const asked = checkAsked(asking, 'list');
    const { cursor, limit } = asking;
    const query = {
      ...asked,
      afterId: cursor === undefined ? undefined : checkSessionId(cursor),
      limit: positive('limit', limit, 100, 1_000),
    };
    const now = options.clock();
    operations.checkOpen();
    const page = await operations.call('listSessions', (backend) => backend.listSessions(query, now));
    return {
      sessions: page.rows.map((row: SessionRow) => new SessionHandle<S>(this.#shared, row)),
      nextCursor: page.nextAfterId,
    };
  }

  async count(asking: CountSessionsOptions = {}): Promise<number> {
    const { operations, options } = this.#shared;
    const query = checkAsked(asking, 'count');
    const now = options.clock();
    operations.checkOpen();
    return operations.call('countSessions', (backend) => backend.countSessions(query, now));
  }

  sweep(): Promise<number> {
    return this.#sweep(true);
  }

  async #sweep(keepAlive: boolean): Promise<number> {
    const { backend, operations, options } = this.#shared;
    const stepRows = options.sweep === false ? 1_000 : options.sweep.stepRows;
    const { blocksThread } = backend.capabilities;
    // Where a step holds up everybody, it begins with few rows.
    let rows = blocksThread ? Math.min(LEAST_ROWS, stepRows) : stepRows;
    for (let removed = 0; ;) {
      const startedAt = performance.now();
      const now = options.clock();
      operations.checkOpen();
      const { ids, done } = await operations.call('sweep', () => backend.sweep(rows, now));
      removed += ids.length;
      if (done) return removed;
      if (blocksThread) rows = nextRows(rows, performance.now() - startedAt, stepRows);
      await operations.rests.after(startedAt, keepAlive);
    }
  }

  async ping(): Promise<void> {
    const { operations } = this.#shared;
    operations.checkOpen();
    await operations.call('ping', (backend) => backend.ping());
  }

  close(): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  async #close(): Promise<void> {
    this.#sweeper?.stop();
    const idle = this.#shared.operations.close();
    try {
      await this.#shared.wakeUps.close();
    } finally {
      await idle;
      await this.#shared.backend.close();
    }
  }
}

/**
 * Opens a session store on any backend, after bringing its schema up to date. For authors of backends; users call `createMemoryStore`,
 * `createSqliteStore` and the like.
 *
 * @throws SessionError as the backend's `migrate` does; the backend is closed then. RangeError or TypeError for an option.
 */
export async function createSessionStore<const S extends StateSchemas = StateSchemas>(
  backend: SessionBackend,
  options: SessionStoreOptions<S> = {},
): Promise<SessionStore<S>> {
  try {
    const { observe } = resolveOptions(options, backend.capabilities);
    await new Operations(backend, observe).call('migrate', () => backend.migrate());
    return new StoreHandle<S>(backend, options);
  } catch (error) {
    // Whether closing works or not, what the caller has to know is why opening did not.
    await backend.close().catch(() => undefined);
    throw error;
  }
}
