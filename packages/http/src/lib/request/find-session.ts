import type { ProtocolFacts } from '@mcp-session/core';
import { HttpError, sessionNotFound } from '../protocol/http-errors.ts';
import { requestRevision } from '../protocol/revisions.ts';
import type { LocalSession } from '../session/local-session.ts';
import type { LocalSessions } from '../session/local-sessions.ts';
import type { Caller } from '../session/sdk-adapter.ts';
import type { PlatformSessions } from '../store/platform-sessions.ts';
import type { ServerFactory } from '../session/server-lifecycle.ts';
import type { StoreHealth } from '../store/health.ts';
import type { StreamGet } from '../standalone/stream-get.ts';
import type { AnySession, AnyStore } from '../store/session-handle.ts';
import { factsOf } from '../store/session-record.ts';

/** The session that a request names. */
export interface FoundSession {
  readonly protocol: ProtocolFacts;
  /** Number of the session's newest event; `undefined`: unknown, since the store fails. */
  readonly lastSeq: number | undefined;
  /** Whether the session's standalone stream is open on some node, as far as the store knows. */
  readonly hasListener: boolean;
  /** The session as the store has it; or, if the store fails, as this node has it in memory. */
  readonly source: { readonly session: AnySession } | { readonly local: LocalSession };
}

export interface SessionFinderContext {
  readonly store: AnyStore;
  readonly health: StoreHealth;
  readonly locals: LocalSessions;
  readonly principalOf: (caller: Caller) => Promise<string | null>;
  readonly platformSessions: PlatformSessions;
  readonly servers: Pick<ServerFactory, 'createStateless'>;
  readonly protocolVersions: readonly string[];
}

/** Finds the session that a request names, for the session's principal only. */
export class SessionFinder {
  readonly #context: SessionFinderContext;

  constructor(context: SessionFinderContext) {
    this.#context = context;
  }

  /** Reads the session from the store. @throws HttpError 400, 404 */
  async find(caller: Caller): Promise<AnySession> {
    const { request } = caller;
    const id = request.headers.get('mcp-session-id');
    const platformId = this.#context.platformSessions.idOf(request);
    if (id === null && platformId === undefined) throw this.idIsMissing(request);
    const principal = await this.#context.principalOf(caller);
    const session =
      platformId === undefined
        ? await this.#read(id ?? '', principal)
        : await this.#findOfPlatform(platformId, id, principal);
    // A session without a version was not begun over HTTP and is not for clients.
    if (session?.protocol.protocolVersion === undefined) throw sessionNotFound();
    return session;
  }

  /** The same for a GET, with what a stream needs to know of it. @throws HttpError 400, 404 */
  async findForStream(caller: Caller): Promise<{ readonly session: AnySession; readonly get: StreamGet }> {
    const { request, authInfo } = caller;
    const session = await this.find(caller);
    const get = {
      request,
      expiresAt: authInfo?.expiresAt,
      scopes: authInfo?.scopes ?? [],
      revision: requestRevision(request, session.protocol.protocolVersion, this.#context.protocolVersions),
      lastSeq: session.lastSeq,
      record: factsOf(session).record.standalone,
      readRecord: async () => factsOf(await this.find(caller)).record.standalone,
    };
    return { session, get };
  }

  /** One read if the client sends an id of this server, and two if the platform has replaced it. */
  async #findOfPlatform(
    platformId: string,
    id: string | null,
    principal: string | null,
  ): Promise<AnySession | undefined> {
    const { health, platformSessions } = this.#context;
    const named = id === null || id === platformId ? undefined : await this.#read(id, principal);
    if (named !== undefined) return named;
    const boundId = await health.read(() => platformSessions.find(platformId, principal));
    const bound = boundId === undefined ? undefined : await this.#read(boundId, principal);
    if (bound !== undefined) return bound;
    if (boundId !== undefined) await platformSessions.unbind(platformId, { id: boundId, principal });
    // The platform may pass on what the client sends.
    return id === platformId ? this.#read(id, principal) : undefined;
  }

  async #read(id: string, principal: string | null): Promise<AnySession | undefined> {
    const { store, health, locals } = this.#context;
    const session = await health.read(() => store.get(id, { principal }));
    const local = session === undefined ? locals.get(id) : undefined;
    // Its own principal does not find it any more: it has ended or expired.
    if (local !== undefined && local.session.principal === principal) await local.close('never');
    return session;
  }

  /**
   * Like {@link findOrLocal}, for a request that may need no session.
   *
   * @returns `unnamed` if the request names no session, `unknown` if it names one that is not
   * found.
   */
  async findOrNone(caller: Caller): Promise<FoundSession | 'unnamed' | 'unknown'> {
    const { request } = caller;
    if (!request.headers.has('mcp-session-id') && this.#context.platformSessions.idOf(request) === undefined) {
      return 'unnamed';
    }
    try {
      return await this.findOrLocal(caller);
    } catch (error) {
      if (error instanceof HttpError && error.status === 404) return 'unknown';
      throw error;
    }
  }

  /**
   * Reads the session from the store. If the store fails and requests do without it, finds the
   * local session.
   */
  async findOrLocal(caller: Caller): Promise<FoundSession> {
    try {
      const session = await this.find(caller);
      const { protocol, record } = factsOf(session);
      const hasListener = record.standalone.nodeId !== undefined;
      return { protocol, lastSeq: session.lastSeq, hasListener, source: { session } };
    } catch (error) {
      return this.#context.health.without(error, () => this.#findLocal(caller, error));
    }
  }

  /**
   * The error for a request without a session id. Where POSTs need no session, there is nothing
   * else to do without one.
   *
   * @throws HttpError 400 if its client speaks a revision that is not served.
   */
  idIsMissing(request: Request): HttpError {
    requestRevision(request, undefined, this.#context.protocolVersions);
    return this.#context.servers.createStateless === undefined
      ? new HttpError(400, 'Bad Request: Mcp-Session-Id header is required')
      : new HttpError(405, 'Method not allowed without a session', undefined, { allow: 'POST' });
  }

  /**
   * @throws `error` if there is no local session of the caller, or if it may have expired: another
   * node may have used it since, but only the store knows.
   */
  async #findLocal(caller: Caller, error: unknown): Promise<FoundSession> {
    const principal = await this.#context.principalOf(caller);
    const local = this.#context.locals.get(caller.request.headers.get('mcp-session-id') ?? '');
    if (local === undefined || local.closed || local.session.expiresAt <= Date.now()) throw error;
    const { principal: owner, protocol } = local.session;
    if (owner !== null && owner !== principal) throw error;
    return { protocol, lastSeq: undefined, hasListener: false, source: { local } };
  }
}
