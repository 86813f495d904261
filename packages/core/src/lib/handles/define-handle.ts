import { randomBytes } from 'node:crypto';
import { defaultHandlesOf } from '../api/default-handles.ts';
import type { HandleKind, HandleList, StateHandle } from '../api/handle-kind.ts';
import type { SessionKind } from '../api/session-kind.ts';
import type { SessionStore } from '../api/session-store.ts';
import type { Session } from '../api/session.ts';
import { SessionError } from '../errors.ts';
import { checkOwner, checkPrincipal } from '../values/ids.ts';
import type { StateSchemas } from '../values/standard-schema.ts';
import { describeHandles } from './describe.ts';
import { handleExpired, handleLimit, handleNotFound } from './handle-errors.ts';
import { DAY, resolveHandleOptions, type HandleOptions, type ResolvedHandleOptions } from './options.ts';

/** How often `of` begins anew while others change the session's handle. */
const MAX_ATTEMPTS = 10;

const RANDOM_PART = /^[A-Za-z0-9_-]{22}$/;

/** One handle, as its users see it. */
class Handle<S> implements StateHandle<S> {
  readonly #session: Session<S>;

  constructor(session: Session<S>) {
    this.#session = session;
  }

  get id(): string {
    return this.#session.id;
  }

  get principal(): string | null {
    return this.#session.principal;
  }

  get createdAt(): number {
    return this.#session.createdAt;
  }

  get expiresAt(): number {
    return this.#session.expiresAt;
  }

  get state(): Session<S>['state'] {
    return this.#session.state;
  }

  destroy(): Promise<boolean> {
    return this.#session.end();
  }
}

/** The handles of one definition, as their users see them. */
class Handles<S extends StateSchemas> implements HandleKind<S> {
  readonly name: string;
  readonly #options: ResolvedHandleOptions;
  readonly #sessions: SessionKind<S>;

  constructor(sessions: SessionKind<S>, options: ResolvedHandleOptions) {
    this.name = options.name;
    this.#options = options;
    this.#sessions = sessions;
  }

  async create(principal: string | null): Promise<StateHandle<S>> {
    this.#checkOwner(principal, 'create');
    return new Handle(await this.#create(principal));
  }

  async open(id: string, principal: string | null): Promise<StateHandle<S>> {
    this.#checkOwner(principal, 'open');
    // Every id costs one read, so that time reveals nothing either. No handle has the other id.
    const asked = this.#isId(id) ? id : `${this.name}_?`;
    const found = await this.#sessions.find(asked, { principal });
    if (found === undefined) throw handleNotFound(this.name);
    if (found.status === 'expired') throw handleExpired(this.name);
    return new Handle(found.session);
  }

  async of(session: Pick<Session, 'id' | 'principal'>): Promise<StateHandle<S>> {
    const defaults = defaultHandlesOf(session);
    const { principal } = session;
    for (let attempt = 1; attempt <= MAX_ATTEMPTS; attempt++) {
      const known = defaults.defaultHandle(this.name);
      const found = known === undefined ? undefined : await this.#sessions.get(known, { principal });
      if (found !== undefined) return new Handle(found);
      const created = await this.#create(principal);
      const kept = await this.#keep(defaults, created, known);
      if (kept === created.id) return new Handle(created);
    }
    throw new SessionError('PROFILE_CONFLICT', `Default ${this.name} of the session was changed by others`, {
      retryable: true,
    });
  }

  async list(principal: string, cursor?: string): Promise<HandleList<S>> {
    checkPrincipal(principal);
    const { sessions, nextCursor } = await this.#sessions.list({ principal, cursor });
    return { handles: sessions.map((session) => new Handle(session)), nextCursor };
  }

  async destroy(id: string, principal: string | null): Promise<boolean> {
    this.#checkOwner(principal, 'destroy');
    const asked = this.#isId(id) ? id : `${this.name}_?`;
    const session = await this.#sessions.get(asked, { principal });
    return (await session?.end()) === true;
  }

  describe(): string {
    return describeHandles(this.#options);
  }

  /** A lookup that found nobody is a mistake: it does not mean `null`. */
  #checkOwner(principal: string | null | undefined, method: string): void {
    if (principal === undefined) {
      throw new TypeError(`Argument principal of ${this.name}.${method} is undefined; give null for nobody`);
    }
    checkOwner(principal);
  }

  #isId(id: unknown): id is string {
    const prefix = `${this.name}_`;
    return typeof id === 'string' && id.startsWith(prefix) && RANDOM_PART.test(id.slice(prefix.length));
  }

  async #create(principal: string | null): Promise<Session<S>> {
    const { maxPerPrincipal, maxLifetimeMs } = this.#options;
    const limit = principal === null ? undefined : maxPerPrincipal;
    if (limit !== undefined && (await this.#exceeds(principal, limit - 1))) throw handleLimit(this.name, limit);
    const session = await this.#sessions.create({
      id: `${this.name}_${randomBytes(16).toString('base64url')}`,
      principal,
      ...(principal === null && maxLifetimeMs === undefined && { maxLifetimeMs: DAY }),
    });
    // The last of several callers sees the others, so together they never keep more than the limit.
    if (limit !== undefined && (await this.#exceeds(principal, limit))) {
      await session.end({ keepId: false });
      throw handleLimit(this.name, limit);
    }
    return session;
  }

  /** Whether a principal has more live handles than this. */
  async #exceeds(principal: string | null, most: number): Promise<boolean> {
    let seen = 0;
    let cursor: string | undefined;
    do {
      const page = await this.#sessions.list({ principal, cursor, limit: Math.min(most + 1, 1_000) });
      seen += page.sessions.length;
      cursor = page.nextCursor;
    } while (seen <= most && cursor !== undefined);
    return seen > most;
  }

  /** Keeps a new handle with the session, or removes it if another call was faster. */
  async #keep(
    defaults: ReturnType<typeof defaultHandlesOf>,
    created: Session<S>,
    replaced: string | undefined,
  ): Promise<string> {
    let kept: string | undefined;
    try {
      kept = await defaults.keepDefaultHandle(this.name, created.id, replaced);
      return kept;
    } finally {
      if (kept !== created.id) await created.end({ keepId: false }).catch(() => undefined);
    }
  }
}

/**
 * Defines a kind of state that clients name by an id in their requests, which is how state spans
 * requests in MCP 2026-07-28 (basic, "Statelessness"). The same works in a revision with sessions;
 * `of(session)` keeps a default handle there.
 *
 * @example
 * ```ts
 * import { defineHandle } from '@mcp-session/core/handles';
 * import { createMemoryStore } from '@mcp-session/core/memory';
 *
 * const store = await createMemoryStore();
 * const carts = defineHandle(store, { name: 'cart', ttlMs: 86_400_000 });
 * const { id } = await carts.create('user-1');
 * const cart = await carts.open(id, 'user-1');
 * await cart.state.update('items', (items = []) => [...items, 'tea']);
 * console.log(await cart.state.get('items')); // [ 'tea' ]
 * await store.close();
 * ```
 *
 * @throws SessionError `INVALID_KIND` for the name. TypeError or RangeError for an option.
 */
export function defineHandle<const S extends StateSchemas = StateSchemas>(
  store: Pick<SessionStore, 'ofKind'>,
  options: HandleOptions<S>,
): HandleKind<S> {
  const resolved = resolveHandleOptions(store, options);
  const { name, ttlMs, maxLifetimeMs, expiredMs: graceMs } = resolved;
  const sessions = store.ofKind<S>(name, {
    ttlMs,
    graceMs,
    ...(options.state !== undefined && { state: options.state }),
    ...(maxLifetimeMs !== undefined && { maxLifetimeMs }),
  });
  return new Handles<S>(sessions, resolved);
}
