import type { ProtocolFacts, Session, StateSchemas } from '@mcp-session/core';
import { setTimeout as pause } from 'node:timers/promises';
import { broadcast, type BroadcastNotification, type BroadcastOptions } from './broadcast.ts';
import { GetHandler } from './get.ts';
import { errorToResponse, HttpError, isOurs, sessionNotFound } from './http-errors.ts';
import {
  checkAccept,
  checkBatch,
  checkHostAndOrigin,
  findInitialize,
  type Posted,
  readMessages,
  requestRevision,
} from './ingress.ts';
import { INVALID_REQUEST, isRequest, type JsonRpcRequest } from './json-rpc.ts';
import type { LocalSession, LocalSettings } from './local-session.ts';
import { NodeLease } from './lease.ts';
import { LocalSessions } from './local-sessions.ts';
import { type ResolvedOptions, resolveOptions, type SessionHandlerOptions } from './options.ts';
import { PostHandler } from './post.ts';
import { type AuthFacts, principalOf } from './principal.ts';
import type { Sdk, ServerLike } from './sdk.ts';
import { type Caller, ServerLife } from './server-life.ts';

/** What is known of a request besides the request. */
export interface FetchOptions<AuthInfo> {
  /** The verified token: verified anew for each request, by whatever stands in front of the handler. */
  readonly authInfo?: AuthInfo | undefined;
  /** The body as a framework has parsed it, where it has; the request's own body is not read then. */
  readonly parsedBody?: unknown;
}

/** How a handler is closed. */
export interface CloseOptions {
  /** How long requests that are being answered may take to end, in milliseconds; new ones are refused. Default: `0`. */
  readonly drainMs?: number;
}

/** Serves MCP over Streamable HTTP, with sessions that live in a store. */
export interface SessionHandler<AuthInfo> {
  /** Answers a request to the MCP endpoint. Never rejects. */
  fetch(request: Request, options?: FetchOptions<AuthInfo>): Promise<Response>;
  /**
   * Stops: refuses new requests with 503, tells the clients of open streams to come back, aborts what runs, and answers it with an error that
   * the clients find when they do. The sessions stay in the store, which is left open. Safe to call again.
   */
  close(options?: CloseOptions): Promise<void>;
  /**
   * Sends a notification to the standalone stream of every session, on whichever node it is open; a client that has none open gets it with its next one.
   * It does not keep sessions alive. Its cost grows with the number of sessions: one append each.
   *
   * @returns How many sessions got it. Sessions that begin or end meanwhile may be left out.
   * @throws SessionError `STORE_…` where the store fails; some sessions can have got it then.
   */
  broadcast(notification: BroadcastNotification, options?: BroadcastOptions): Promise<number>;
  /** How many sessions this process holds at the moment. */
  readonly localSessions: number;
}

/** The handler of both SDK lines. */
export class Handler<
  Server extends ServerLike,
  AuthInfo extends AuthFacts,
  S extends StateSchemas,
> implements SessionHandler<AuthInfo> {
  readonly #sdk: Sdk<Server, AuthInfo>;
  readonly #options: SessionHandlerOptions<Server, AuthInfo, S>;
  readonly #resolved: ResolvedOptions;
  readonly #locals: LocalSessions<Server>;
  readonly #life: ServerLife<Server, AuthInfo, S>;
  readonly #posts: PostHandler<Server, AuthInfo>;
  readonly #gets: GetHandler<Server>;
  readonly #lease: NodeLease<S>;
  #closing: Promise<void> | undefined;
  #stopped = false;

  constructor(sdk: Sdk<Server, AuthInfo>, options: SessionHandlerOptions<Server, AuthInfo, S>) {
    this.#sdk = sdk;
    this.#options = options;
    this.#resolved = resolveOptions(options);
    const nodeId = newNodeId();
    this.#lease = new NodeLease(options.store, nodeId, this.#resolved.leaseMs, this.#resolved.onError);
    const settings: LocalSettings = { ...this.#resolved, nodeId, lease: this.#lease };
    this.#locals = new LocalSessions(this.#resolved);
    this.#life = new ServerLife(sdk, options, settings);
    this.#posts = new PostHandler(sdk, settings);
    this.#gets = new GetHandler(settings);
  }

  get localSessions(): number {
    return this.#locals.size;
  }

  async fetch(request: Request, { authInfo, parsedBody }: FetchOptions<AuthInfo> = {}): Promise<Response> {
    try {
      // What runs may still need its client's answers to come to its end.
      if (this.#stopped || (this.#closing !== undefined && request.method !== 'POST')) throw closing();
      checkHostAndOrigin(request, this.#resolved.allowed);
      const caller = { request, authInfo };
      switch (request.method) {
        case 'POST':
          return await this.#post(caller, parsedBody);
        case 'GET':
          return await this.#get(caller);
        case 'DELETE':
          return await this.#delete(caller);
        default:
          throw new HttpError(405, 'Method not allowed', undefined, { allow: 'GET, POST, DELETE' });
      }
    } catch (error) {
      if (isOurs(error)) this.#resolved.onError(error);
      return errorToResponse(error);
    }
  }

  broadcast(notification: BroadcastNotification, options: BroadcastOptions = {}): Promise<number> {
    return broadcast(this.#options.store, notification, options);
  }

  close({ drainMs = 0 }: CloseOptions = {}): Promise<void> {
    this.#closing ??= this.#close(drainMs);
    return this.#closing;
  }

  async #post(caller: Caller<AuthInfo>, parsedBody: unknown): Promise<Response> {
    const { request } = caller;
    checkAccept(request, 'application/json', 'text/event-stream');
    const hasId = request.headers.has('mcp-session-id');
    const session = hasId ? await this.#find(caller) : undefined;
    const posted = await readMessages(request, parsedBody, {
      maxBodyBytes: this.#resolved.maxBodyBytes,
      parse: (value) => this.#sdk.parseMessage(value),
    });
    if (this.#closing !== undefined && posted.messages.some(isRequest)) throw closing();
    const initialize = findInitialize(posted);
    if (session === undefined) return this.#initialize(initialize, caller);
    if (initialize !== undefined)
      throw new HttpError(400, 'Invalid Request: session is initialized already', INVALID_REQUEST);
    return this.#handlePosted(session, posted, caller);
  }

  async #handlePosted(session: Session<S>, posted: Posted, caller: Caller<AuthInfo>): Promise<Response> {
    const revision = requestRevision(caller.request, session.protocol.protocolVersion, this.#sdk.protocolVersions);
    checkBatch(posted, revision);
    const { messages } = posted;
    const sinceSeq = session.lastSeq;
    return this.#withLocal(session, caller, (local) =>
      this.#posts.handle(local, { messages, revision, sinceSeq, caller }),
    );
  }

  async #initialize(initialize: JsonRpcRequest | undefined, caller: Caller<AuthInfo>): Promise<Response> {
    if (initialize === undefined) throw this.#idIsMissing(caller.request);
    const principal = await principalOf(caller.authInfo, caller.request, this.#options.principal);
    const { response, local } = await this.#life.begin(initialize, principal, caller);
    if (local === undefined) return Response.json(response);
    if (this.#stopped) await local.close();
    else this.#locals.add(local);
    // As JSON: nothing can be missed of it. A client whose connection dies here has no session to come back to.
    return Response.json(response, { headers: { 'mcp-session-id': local.session.id } });
  }

  async #get(caller: Caller<AuthInfo>): Promise<Response> {
    checkAccept(caller.request, 'text/event-stream');
    const session = await this.#find(caller);
    const revision = requestRevision(caller.request, session.protocol.protocolVersion, this.#sdk.protocolVersions);
    const readFacts = async (): Promise<ProtocolFacts> => (await this.#find(caller)).protocol;
    const get = { request: caller.request, revision, facts: session.protocol, readFacts };
    return this.#withLocal(session, caller, (local) => this.#gets.handle(local, get));
  }

  async #delete(caller: Caller<AuthInfo>): Promise<Response> {
    const session = await this.#find(caller);
    requestRevision(caller.request, session.protocol.protocolVersion, this.#sdk.protocolVersions);
    if (!(await session.end())) throw sessionNotFound();
    await this.#locals.get(session.id)?.close(false);
    return new Response(null, { status: 204 });
  }

  /** The session that a request names: read from the store each time, for its principal only. */
  async #find({ request, authInfo }: Caller<AuthInfo>): Promise<Session<S>> {
    const id = request.headers.get('mcp-session-id');
    if (id === null) throw this.#idIsMissing(request);
    const principal = await principalOf(authInfo, request, this.#options.principal);
    const session = await this.#options.store.get(id, { principal });
    // One without a version was not begun over HTTP, and is not for clients.
    if (session === undefined || session.protocol.protocolVersion === undefined) {
      const local = session === undefined ? this.#locals.get(id) : undefined;
      // Not there for whom it belongs to: it has ended or expired.
      if (local !== undefined && local.session.principal === principal) await local.close(false);
      throw sessionNotFound();
    }
    return session;
  }

  /** @throws HttpError 400 that says so where the client speaks a revision that is not served, such as one that has no such ids. */
  #idIsMissing(request: Request): HttpError {
    requestRevision(request, undefined, this.#sdk.protocolVersions);
    return new HttpError(400, 'Bad Request: Mcp-Session-Id header is required');
  }

  async #withLocal(
    session: Session<S>,
    caller: Caller<AuthInfo>,
    work: (local: LocalSession<Server>) => Promise<Response>,
  ): Promise<Response> {
    for (;;) {
      const local = await this.#locals.getOrRestore(session.id, async () => {
        const restored = await this.#life.restore(session, caller);
        this.#locals.add(restored);
        return restored;
      });
      if (this.#stopped) {
        await local.close();
        throw closing();
      }
      // It can have been let go in between.
      if (local.closed) continue;
      const release = local.hold();
      try {
        await this.#life.catchUp(local, session.protocol, caller);
        return await work(local);
      } finally {
        release();
      }
    }
  }

  async #close(drainMs: number): Promise<void> {
    const locals = this.#locals.all();
    if (drainMs > 0)
      await Promise.race([
        Promise.all(locals.map(({ transport }) => transport.idle())),
        pause(drainMs, undefined, { ref: false }),
      ]);
    this.#stopped = true;
    this.#locals.stop();
    await Promise.all(this.#locals.all().map((local) => this.#posts.interrupt(local)));
    await this.#lease.close();
  }
}

function closing(): HttpError {
  return new HttpError(503, 'Server is shutting down', undefined, { 'retry-after': '1' });
}

/** Names this process among those that serve the same sessions: 64 random bits. */
function newNodeId(): string {
  return Buffer.from(crypto.getRandomValues(new Uint8Array(8))).toString('hex');
}
