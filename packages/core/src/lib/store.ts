import { AppendQueue } from './append/append-queue.ts';
import type { Capabilities, SessionBackend } from './contract/backend.ts';
import { SessionError } from './errors.ts';
import { checkSessionId, isSessionId, newSessionId } from './values/ids.ts';
import { Operations } from './runtime/operations.ts';
import { optional, positive } from './values/option-checks.ts';
import { resolveOptions, type SessionStoreOptions } from './options.ts';
import { encodeProfile } from './session/profile.ts';
import { Retention } from './append/retention.ts';
import type { SessionRow } from './contract/rows.ts';
import { KeyedLock } from './runtime/keyed-lock.ts';
import { expiryOf, type Shared } from './session/context.ts';
import { Session } from './session.ts';
import type { AnySchemas, StateSchemas } from './values/standard-schema.ts';
import {
  checkAsked,
  type CountSessionsOptions,
  type CreateSessionOptions,
  type GetSessionOptions,
  type ListSessionsOptions,
} from './call-options.ts';
import { LEAST_ROWS, nextRows, Sweeper } from './runtime/sweeper.ts';
import { WakeUps } from './wake-ups/wake-ups.ts';

/** A page of sessions in the byte order of their ids; for generated ids that is the order of their creation. */
export interface SessionList<S> {
  /** Can be shorter than the limit, even empty, before the last page. */
  readonly sessions: readonly Session<S>[];
  /** `undefined`: this is the last page. */
  readonly nextCursor: string | undefined;
}

/**
 * Durable sessions in some backend. Every method throws a SessionError `STORE_CLOSED` after {@link close} and `STORE_…` when the database fails.
 */
export class SessionStore<S extends StateSchemas = AnySchemas> {
  readonly #shared: Shared;
  readonly #sweeper: Sweeper | undefined;
  #closing: Promise<void> | undefined;

  /** @internal */
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

  /** Name of the backend, such as `sqlite`. */
  get backendName(): string {
    return this.#shared.backend.name;
  }

  /** Facts about the backend. */
  get capabilities(): Capabilities {
    return this.#shared.backend.capabilities;
  }

  /**
   * Creates a session.
   *
   * @throws SessionError `SESSION_EXISTS` where the given id is taken, also by a session that expired or ended a while ago; `INVALID_SESSION_ID`,
   * `INVALID_PRINCIPAL`, `INVALID_KIND`, `NOT_JSON`, `PROFILE_TOO_LARGE`.
   */
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
    return new Session<S>(this.#shared, { ...session, version: 1, createdAt: now, touchedAt: now, lastSeq: 0 });
  }

  /**
   * Finds a live session of the principal that asks, and counts as a use of it.
   *
   * @returns `undefined` where it is unknown, malformed, expired, ended, of another kind, or another principal's: nobody can tell which.
   * @throws SessionError `INVALID_PRINCIPAL`, `INVALID_KIND`.
   */
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
      const session = new Session<S>(this.#shared, row);
      return (await session.renewIfDue()) ? session : undefined;
    });
  }

  /**
   * Lists live sessions, for administration. Does not renew them.
   *
   * @throws SessionError `INVALID_KIND`, `INVALID_PRINCIPAL`, `INVALID_SESSION_ID` for a cursor that no list has given. RangeError for the limit.
   */
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
      sessions: page.rows.map((row: SessionRow) => new Session<S>(this.#shared, row)),
      nextCursor: page.nextAfterId,
    };
  }

  /** Counts live sessions exactly. Its cost grows with their number: for administration and metrics, not for requests. Throws as {@link list}. */
  async count(asking: CountSessionsOptions = {}): Promise<number> {
    const { operations, options } = this.#shared;
    const query = checkAsked(asking, 'count');
    const now = options.clock();
    operations.checkOpen();
    return operations.call('countSessions', (backend) => backend.countSessions(query, now));
  }

  /**
   * Removes what has expired or was ended, in bounded steps, until nothing is left to remove. Between two steps it rests as long as the last one took. Runs in the background by itself unless the option `sweep` is `false`.
   *
   * @returns How many sessions' records were removed.
   */
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

  /** Makes one round trip to the database: for a health check. */
  async ping(): Promise<void> {
    const { operations } = this.#shared;
    operations.checkOpen();
    await operations.call('ping', (backend) => backend.ping());
  }

  /**
   * Refuses all further calls, ends tails, stops timers, waits for what was begun, and closes what the store opened itself. Sessions stay stored.
   * Safe to call again.
   */
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
    return new SessionStore<S>(backend, options);
  } catch (error) {
    // Whether closing works or not, what the caller has to know is why opening did not.
    await backend.close().catch(() => undefined);
    throw error;
  }
}
