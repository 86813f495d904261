import type { ProtocolFacts } from '@mcp-session/core';
import { HttpError, sessionNotFound } from '../protocol/http-errors.ts';
import { requestRevision } from '../protocol/revisions.ts';
import type { LocalSession } from '../session/local-session.ts';
import type { LocalSessions } from '../session/local-sessions.ts';
import type { Caller } from '../session/sdk-adapter.ts';
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
    const { store, health, locals, principalOf } = this.#context;
    const id = caller.request.headers.get('mcp-session-id');
    if (id === null) throw this.idIsMissing(caller.request);
    const principal = await principalOf(caller);
    const session = await health.read(() => store.get(id, { principal }));
    if (session === undefined) {
      const local = locals.get(id);
      // Its own principal does not find it any more: it has ended or expired.
      if (local !== undefined && local.session.principal === principal) await local.close('never');
      throw sessionNotFound();
    }
    // A session without a version was not begun over HTTP and is not for clients.
    if (session.protocol.protocolVersion === undefined) throw sessionNotFound();
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
      return this.#context.health.without(error, async () => {
        const local = await this.#findLocal(caller);
        if (local === undefined) throw error;
        const { protocol } = local.session;
        return { protocol, lastSeq: undefined, hasListener: false, source: { local } };
      });
    }
  }

  /**
   * The error for a request without a session id.
   *
   * @throws HttpError 400 if its client speaks a revision that is not served.
   */
  idIsMissing(request: Request): HttpError {
    requestRevision(request, undefined, this.#context.protocolVersions);
    return new HttpError(400, 'Bad Request: Mcp-Session-Id header is required');
  }

  /**
   * @returns `undefined` also if the session may have expired: another node may have used it, but
   * nobody can tell.
   */
  async #findLocal(caller: Caller): Promise<LocalSession | undefined> {
    const principal = await this.#context.principalOf(caller);
    const local = this.#context.locals.get(caller.request.headers.get('mcp-session-id') ?? '');
    if (local === undefined || local.closed || local.session.expiresAt <= Date.now()) return undefined;
    return local.session.principal === null || local.session.principal === principal ? local : undefined;
  }
}
