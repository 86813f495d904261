import type { ProtocolFacts, Session, StateSchemas } from '@mcp-session/core';
import { HttpError, sessionNotFound } from './http-errors.ts';
import { requestRevision } from './ingress.ts';
import type { LocalSession } from './local-session.ts';
import type { LocalSessions } from './local-sessions.ts';
import type { ResolvedOptions, SessionHandlerOptions } from './options.ts';
import { type AuthFacts, principalOf } from './principal.ts';
import type { Sdk, ServerLike } from './sdk.ts';
import type { Caller } from './server-life.ts';

/** The session that a request names. */
export interface Found<Server extends ServerLike, S extends StateSchemas> {
  readonly protocol: ProtocolFacts;
  /** Number of its newest event. */
  readonly sinceSeq: number;
  /** As the store has it; or, where the store fails, as this node holds it. */
  readonly at: { readonly session: Session<S> } | { readonly held: LocalSession<Server> };
}

/** Finds the session that a request names, for its principal only. */
export class Finder<Server extends ServerLike, AuthInfo extends AuthFacts, S extends StateSchemas> {
  readonly #sdk: Sdk<Server, AuthInfo>;
  readonly #options: SessionHandlerOptions<Server, AuthInfo, S>;
  readonly #resolved: ResolvedOptions;
  readonly #locals: LocalSessions<Server>;

  constructor(
    sdk: Sdk<Server, AuthInfo>,
    options: SessionHandlerOptions<Server, AuthInfo, S>,
    resolved: ResolvedOptions,
    locals: LocalSessions<Server>,
  ) {
    this.#sdk = sdk;
    this.#options = options;
    this.#resolved = resolved;
    this.#locals = locals;
  }

  /** Reads it from the store, each time. */
  async find({ request, authInfo }: Caller<AuthInfo>): Promise<Session<S>> {
    const id = request.headers.get('mcp-session-id');
    if (id === null) throw this.idIsMissing(request);
    const principal = await principalOf(authInfo, request, this.#options.principal);
    const session = await this.#resolved.health.read(() => this.#options.store.get(id, { principal }));
    // One without a version was not begun over HTTP, and is not for clients.
    if (session === undefined || session.protocol.protocolVersion === undefined) {
      const local = session === undefined ? this.#locals.get(id) : undefined;
      // Not there for whom it belongs to: it has ended or expired.
      if (local !== undefined && local.session.principal === principal) await local.close(false);
      throw sessionNotFound();
    }
    return session;
  }

  /** The same; where the store fails, and requests do without it, the session as this node holds it. */
  async findOrHeld(caller: Caller<AuthInfo>): Promise<Found<Server, S>> {
    try {
      const session = await this.find(caller);
      return { protocol: session.protocol, sinceSeq: session.lastSeq, at: { session } };
    } catch (error) {
      const held = this.#resolved.health.canDoWithout(error) ? await this.#heldFor(caller) : undefined;
      if (held === undefined) throw error;
      // What other nodes were told of its requests is not known either; all of it counts as older.
      return { protocol: held.session.protocol, sinceSeq: Number.MAX_SAFE_INTEGER, at: { held } };
    }
  }

  /** @throws HttpError 400 that says so where the client speaks a revision that is not served, such as one that has no such ids. */
  idIsMissing(request: Request): HttpError {
    requestRevision(request, undefined, this.#sdk.protocolVersions);
    return new HttpError(400, 'Bad Request: Mcp-Session-Id header is required');
  }

  /** `undefined` also where it may have expired: whether it was used elsewhere is not known. */
  async #heldFor({ request, authInfo }: Caller<AuthInfo>): Promise<LocalSession<Server> | undefined> {
    const principal = await principalOf(authInfo, request, this.#options.principal);
    const local = this.#locals.get(request.headers.get('mcp-session-id') ?? '');
    if (local === undefined || local.closed || local.session.expiresAt <= Date.now()) return undefined;
    return local.session.principal === null || local.session.principal === principal ? local : undefined;
  }
}
