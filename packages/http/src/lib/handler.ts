import type { ProtocolFacts, Session, StateSchemas } from '@mcp-session/core';
import { setTimeout as pause } from 'node:timers/promises';
import { broadcast, type BroadcastNotification, type BroadcastOptions } from './broadcast.ts';
import { Finder, type Found } from './finder.ts';
import { GetHandler } from './get.ts';
import { errorToResponse, HttpError, isOurs, sessionNotFound } from './http-errors.ts';
import { checkAccept, checkBatch, findInitialize, type Posted, readMessages, requestRevision } from './ingress.ts';
import { INVALID_REQUEST, isRequest, type JsonRpcRequest } from './json-rpc.ts';
import { emptyOf, jsonOf } from './known-bodies.ts';
import type { LocalSession } from './local-session.ts';
import { NodeLease } from './lease.ts';
import { LocalSessions } from './local-sessions.ts';
import { drainMsOf, fetchOptionsOf } from './option-checks.ts';
import { type ResolvedOptions, resolveOptions, type SessionHandlerOptions } from './options.ts';
import { PostHandler } from './post.ts';
import { type AuthFacts, principalOf } from './principal.ts';
import type { Sdk, ServerLike } from './sdk.ts';
import { type Caller, type LifeSettings, ServerLife } from './server-life.ts';

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
  /** Answers a request to the MCP endpoint. Never rejects. All functions of a handler work without it: `export const POST = handler.fetch`. */
  readonly fetch: (request: Request, options?: FetchOptions<AuthInfo>) => Promise<Response>;
  /**
   * Stops: refuses new requests with 503, tells the clients of open streams to come back, aborts what runs, and answers it with an error that
   * the clients find when they do. The sessions stay in the store, which is left open. Safe to call again.
   */
  readonly close: (options?: CloseOptions) => Promise<void>;
  /**
   * Sends a notification to the standalone stream of every session, on whichever node it is open; a client that has none open gets it with its next one.
   * It does not keep sessions alive. Its cost grows with the number of sessions: one append each.
   *
   * @returns How many sessions got it. Sessions that begin or end meanwhile may be left out.
   * @throws SessionError `STORE_…` where the store fails; some sessions can have got it then.
   */
  readonly broadcast: (notification: BroadcastNotification, options?: BroadcastOptions) => Promise<number>;
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
  readonly #finder: Finder<Server, AuthInfo, S>;
  #closing: Promise<void> | undefined;
  #stopped = false;

  constructor(sdk: Sdk<Server, AuthInfo>, options: SessionHandlerOptions<Server, AuthInfo, S>) {
    this.#sdk = sdk;
    this.#options = options;
    this.#resolved = resolveOptions(options);
    const nodeId = newNodeId();
    this.#lease = new NodeLease(options.store, nodeId, this.#resolved.leaseMs, this.#resolved.onError);
    const settings: LifeSettings = { ...this.#resolved, nodeId, lease: this.#lease };
    this.#locals = new LocalSessions(this.#resolved);
    this.#finder = new Finder(sdk, options, this.#resolved, this.#locals);
    this.#life = new ServerLife(sdk, options, settings);
    this.#posts = new PostHandler(sdk, settings);
    this.#gets = new GetHandler(settings);
  }

  get localSessions(): number {
    return this.#locals.size;
  }

  readonly fetch = async (request: Request, options: FetchOptions<AuthInfo> = {}): Promise<Response> => {
    const { gate, onError } = this.#resolved;
    try {
      gate.check(request);
      return gate.open(request, gate.preflight(request) ?? (await this.#answer(request, options)));
    } catch (error) {
      if (isOurs(error)) onError(error);
      return gate.open(request, errorToResponse(error));
    }
  };

  readonly broadcast = (notification: BroadcastNotification, options: BroadcastOptions = {}): Promise<number> =>
    broadcast(this.#options.store, notification, options);

  readonly close = async (options: CloseOptions = {}): Promise<void> => {
    const drainMs = drainMsOf(options);
    await (this.#closing ??= this.#close(drainMs));
  };

  async #answer(request: Request, options: FetchOptions<AuthInfo>): Promise<Response> {
    const { authInfo, parsedBody } = fetchOptionsOf(options);
    // What runs may still need its client's answers to come to its end.
    if (this.#stopped || (this.#closing !== undefined && request.method !== 'POST')) throw closing();
    const caller = { request, authInfo };
    switch (request.method) {
      case 'POST':
        return this.#post(caller, parsedBody);
      case 'GET':
        return this.#get(caller);
      case 'DELETE':
        return this.#delete(caller);
      default:
        throw new HttpError(405, 'Method not allowed.', undefined, { allow: 'GET, POST, DELETE' });
    }
  }

  async #post(caller: Caller<AuthInfo>, parsedBody: unknown): Promise<Response> {
    const { request } = caller;
    checkAccept(request, 'application/json', 'text/event-stream');
    const hasId = request.headers.has('mcp-session-id');
    const found = hasId ? await this.#finder.findOrHeld(caller) : undefined;
    const posted = await readMessages(request, parsedBody, {
      maxBodyBytes: this.#resolved.maxBodyBytes,
      parse: (value) => this.#sdk.parseMessage(value),
    });
    if (this.#closing !== undefined && posted.messages.some(isRequest)) throw closing();
    const initialize = findInitialize(posted);
    if (found === undefined) return this.#initialize(initialize, caller);
    if (initialize !== undefined)
      throw new HttpError(400, 'Invalid Request: Server already initialized', INVALID_REQUEST);
    return this.#handlePosted(found, posted, caller);
  }

  async #handlePosted(
    { protocol, sinceSeq, at }: Found<Server, S>,
    posted: Posted,
    caller: Caller<AuthInfo>,
  ): Promise<Response> {
    const revision = requestRevision(caller.request, protocol.protocolVersion, this.#sdk.protocolVersions);
    checkBatch(posted, revision);
    const { messages } = posted;
    const work = (local: LocalSession<Server>): Promise<Response> =>
      this.#posts.handle(local, { messages, revision, sinceSeq, caller });
    return 'session' in at ? this.#withLocal(at.session, caller, work) : withHeld(at.held, work);
  }

  async #initialize(initialize: JsonRpcRequest | undefined, caller: Caller<AuthInfo>): Promise<Response> {
    if (initialize === undefined) throw this.#finder.idIsMissing(caller.request);
    const principal = await principalOf(caller.authInfo, caller.request, this.#options.principal);
    const { response, local } = await this.#life.begin(initialize, principal, caller);
    if (local === undefined) return jsonOf(response);
    if (this.#stopped) await local.close();
    else this.#locals.add(local);
    // As JSON: nothing can be missed of it. A client whose connection dies here has no session to come back to.
    return jsonOf(response, { 'mcp-session-id': local.session.id });
  }

  async #get(caller: Caller<AuthInfo>): Promise<Response> {
    checkAccept(caller.request, 'text/event-stream');
    const session = await this.#finder.find(caller);
    const revision = requestRevision(caller.request, session.protocol.protocolVersion, this.#sdk.protocolVersions);
    const readFacts = async (): Promise<ProtocolFacts> => (await this.#finder.find(caller)).protocol;
    const { request, authInfo } = caller;
    const get = { request, expiresAt: authInfo?.expiresAt, revision, facts: session.protocol, readFacts };
    return this.#withLocal(session, caller, (local) => this.#gets.handle(local, get));
  }

  async #delete(caller: Caller<AuthInfo>): Promise<Response> {
    const session = await this.#finder.find(caller);
    requestRevision(caller.request, session.protocol.protocolVersion, this.#sdk.protocolVersions);
    if (!(await session.end())) throw sessionNotFound();
    await this.#locals.get(session.id)?.close(false);
    return emptyOf(204);
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

async function withHeld<Server extends ServerLike>(
  local: LocalSession<Server>,
  work: (local: LocalSession<Server>) => Promise<Response>,
): Promise<Response> {
  const release = local.hold();
  try {
    return await work(local);
  } finally {
    release();
  }
}

function closing(): HttpError {
  return new HttpError(503, 'Server is shutting down', undefined, { 'retry-after': '1' });
}

/** Names this process among those that serve the same sessions: 64 random bits. */
function newNodeId(): string {
  return Buffer.from(crypto.getRandomValues(new Uint8Array(8))).toString('hex');
}
