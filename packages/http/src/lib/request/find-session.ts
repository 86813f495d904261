import type { ProtocolFacts } from '@mcp-session/core';
import { HttpError, sessionNotFound } from '../protocol/http-errors.ts';
import { requestRevision } from '../protocol/revisions.ts';
import type { LocalSession } from '../session/local-session.ts';
import type { LocalSessions } from '../session/local-sessions.ts';
import type { Caller } from '../session/sdk-adapter.ts';
import type { StoreHealth } from '../store/health.ts';
import type { AnySession, AnyStore } from '../store/session-handle.ts';

/** The session that a request names. */
export interface FoundSession {
  readonly protocol: ProtocolFacts;
  /** Number of its newest event. */
  readonly sinceSeq: number;
  /** As the store has it; or, where the store fails, as this node holds it. */
  readonly source: { readonly session: AnySession } | { readonly local: LocalSession };
}

export interface SessionFinderContext {
  readonly store: AnyStore;
  readonly health: StoreHealth;
  readonly locals: LocalSessions;
  readonly principalOf: (caller: Caller) => Promise<string | null>;
  readonly protocolVersions: readonly string[];
}

/** Finds the session that a request names, for its principal only. */
export class SessionFinder {
  readonly #context: SessionFinderContext;

  constructor(context: SessionFinderContext) {
    this.#context = context;
  }

  /** Reads it from the store, each time. */
  async find(caller: Caller): Promise<AnySession> {
    const { store, health, locals, principalOf } = this.#context;
    const id = caller.request.headers.get('mcp-session-id');
    if (id === null) throw this.idIsMissing(caller.request);
    const principal = await principalOf(caller);
    const session = await health.read(() => store.get(id, { principal }));
    // One without a version was not begun over HTTP, and is not for clients.
    if (session === undefined || session.protocol.protocolVersion === undefined) {
      const local = session === undefined ? locals.get(id) : undefined;
      // Not there for whom it belongs to: it has ended or expired.
      if (local !== undefined && local.session.principal === principal) await local.close(false);
      throw sessionNotFound();
    }
    return session;
  }

  /** The same; where the store fails, and requests do without it, the session as this node holds it. */
  async findOrLocal(caller: Caller): Promise<FoundSession> {
    try {
      const session = await this.find(caller);
      return { protocol: session.protocol, sinceSeq: session.lastSeq, source: { session } };
    } catch (error) {
      const local = this.#context.health.canDoWithout(error) ? await this.#localFor(caller) : undefined;
      if (local === undefined) throw error;
      // What other nodes were told of its requests is not known either; all of it counts as older.
      return { protocol: local.session.protocol, sinceSeq: Number.MAX_SAFE_INTEGER, source: { local } };
    }
  }

  /** @throws HttpError 400 that says so where the client speaks a revision that is not served, such as one that has no such ids. */
  idIsMissing(request: Request): HttpError {
    requestRevision(request, undefined, this.#context.protocolVersions);
    return new HttpError(400, 'Bad Request: Mcp-Session-Id header is required');
  }

  /** `undefined` also where it may have expired: whether it was used elsewhere is not known. */
  async #localFor(caller: Caller): Promise<LocalSession | undefined> {
    const principal = await this.#context.principalOf(caller);
    const local = this.#context.locals.get(caller.request.headers.get('mcp-session-id') ?? '');
    if (local === undefined || local.closed || local.session.expiresAt <= Date.now()) return undefined;
    return local.session.principal === null || local.session.principal === principal ? local : undefined;
  }
}
