import type { FoundSession, SessionKind } from './api/session-kind.ts';
import type { SessionList } from './api/session-list.ts';
import type { Session } from './api/session.ts';
import { newRow } from './contract/new-row.ts';
import type { SessionRow } from './contract/rows.ts';
import { SessionError } from './errors.ts';
import { resolveKind, type SessionKindOptions } from './options/kind-options.ts';
import {
  checkAsked,
  type CountSessionsOptions,
  type CreateSessionOptions,
  type GetSessionOptions,
  type ListSessionsOptions,
} from './options/session-options.ts';
import { ListedHandle, SessionHandle } from './session.ts';
import { expiryOf, type StoreInternals } from './session/context.ts';
import { encodeProfile } from './session/profile.ts';
import { checkCursor, checkSessionId, isSessionId, newSessionId } from './values/ids.ts';
import { optional, positive } from './values/option-checks.ts';
import type { StateSchemas } from './values/standard-schema.ts';

/** Creates and finds sessions by the schemas and lifetimes of one set of options. */
export class Sessions<S> {
  readonly #shared: StoreInternals;
  readonly #kind: string | undefined;

  /** @param kind The kind of all of them. `undefined`: the options of each call name it. */
  constructor(shared: StoreInternals, kind?: string) {
    this.#shared = shared;
    this.#kind = kind;
  }

  async create(options: CreateSessionOptions): Promise<Session<S>> {
    const { clock, graceMs } = this.#shared.options;
    const now = clock();
    const { kind, principal } = checkAsked(options, 'create', this.#kind);
    const { metadata = {}, protocol = {} } = options;
    const ownTtlMs = optional('ttlMs', options.ttlMs);
    const ownLifetimeMs = optional('maxLifetimeMs', options.maxLifetimeMs);
    const own = {
      ...(ownTtlMs !== undefined && { ttlMs: ownTtlMs }),
      ...(ownLifetimeMs !== undefined && { maxLifetimeMs: ownLifetimeMs }),
    };
    const { ttlMs, maxLifetimeMs } = { ...this.#shared.options, ...own };
    const createdAt = now - graceMs;
    const session = {
      id: options.id === undefined ? newSessionId(createdAt) : checkSessionId(options.id),
      kind,
      principal: principal ?? null,
      profile: encodeProfile({ metadata, protocol, ...own }),
      expiresAt: expiryOf({ ttlMs, maxLifetimeMs, graceMs }, createdAt, now),
    };
    const created = await this.#shared.backend.createSession(session, createdAt);
    if (!created) throw new SessionError('SESSION_EXISTS', 'Session id is taken');
    return this.#handle(newRow(session, createdAt), true);
  }

  async get(id: string, asking: GetSessionOptions): Promise<Session<S> | undefined> {
    const found = await this.#find(id, asking, 'get');
    return found?.status === 'live' ? found.session : undefined;
  }

  async find(id: string, asking: GetSessionOptions): Promise<FoundSession<S> | undefined> {
    return this.#find(id, asking, 'find');
  }

  async #find(id: string, asking: GetSessionOptions, method: 'get' | 'find'): Promise<FoundSession<S> | undefined> {
    const { backend, gate, options } = this.#shared;
    const { kind, principal = null } = checkAsked(asking, method, this.#kind);
    const asker = { kind, principal };
    return gate.run(async () => {
      if (!isSessionId(id)) return undefined;
      const now = options.clock();
      const row = await backend.begun.readSession(id, now - options.graceMs, asker);
      // The database has compared already. This check keeps a session from strangers whatever a
      // backend forgets.
      if (row === undefined || row.kind !== kind || (row.principal !== null && row.principal !== principal)) {
        return undefined;
      }
      if (row.expiresAt <= now) return { status: 'expired' };
      const session = this.#handle(row, true);
      return (await session.renewIfDue()) ? { status: 'live', session } : undefined;
    });
  }

  async inspect(id: string): Promise<Session<S> | undefined> {
    const { backend, gate, options } = this.#shared;
    return gate.run(async () => {
      if (!isSessionId(id)) return undefined;
      const row = await backend.begun.readSession(id, options.clock());
      return row && this.#handle(row, false);
    });
  }

  async list(asking: ListSessionsOptions): Promise<SessionList<S>> {
    const { backend, options } = this.#shared;
    const asked = checkAsked(asking, 'list', this.#kind);
    const { cursor, limit } = asking;
    const query = {
      ...asked,
      afterId: cursor === undefined ? undefined : checkCursor(cursor),
      limit: positive('limit', limit, 100, 1_000),
    };
    const page = await backend.listSessions(query, options.clock());
    return {
      sessions: page.rows.map((row) => new ListedHandle<S>(this.#shared, row, false)),
      nextCursor: page.nextAfterId,
    };
  }

  async count(asking: CountSessionsOptions): Promise<number> {
    const { backend, options } = this.#shared;
    return backend.countSessions(checkAsked(asking, 'count', this.#kind), options.clock());
  }

  /** @param renews Whether a use of the handle renews the session. */
  #handle(row: SessionRow, renews: boolean): SessionHandle<S> {
    return new SessionHandle<S>(this.#shared, row, renews);
  }
}

/** The sessions of one kind, as their users see them. */
export class KindHandle<S extends StateSchemas> implements SessionKind<S> {
  readonly kind: string;
  readonly #sessions: Sessions<S>;

  constructor(shared: StoreInternals, kind: string, given: SessionKindOptions<S>) {
    const { options } = shared;
    this.kind = kind;
    this.#sessions = new Sessions<S>({ ...shared, options: resolveKind(kind, given, options) }, kind);
  }

  create(options: Omit<CreateSessionOptions, 'kind'> = {}): Promise<Session<S>> {
    return this.#sessions.create(options);
  }

  get(id: string, options: Omit<GetSessionOptions, 'kind'> = {}): Promise<Session<S> | undefined> {
    return this.#sessions.get(id, options);
  }

  find(id: string, options: Omit<GetSessionOptions, 'kind'> = {}): Promise<FoundSession<S> | undefined> {
    return this.#sessions.find(id, options);
  }

  list(options: Omit<ListSessionsOptions, 'kind'> = {}): Promise<SessionList<S>> {
    return this.#sessions.list(options);
  }

  count(options: Omit<CountSessionsOptions, 'kind'> = {}): Promise<number> {
    return this.#sessions.count(options);
  }
}
