import { broadcast, type BroadcastNotification, type BroadcastOptions } from '../cluster/broadcast.ts';
import { NodeLease } from '../cluster/lease.ts';
import { newNodeId } from '../cluster/node-id.ts';
import { emptyOf } from '../protocol/buffered-body.ts';
import { closing, notAllowed, sessionNotFound } from '../protocol/http-errors.ts';
import { isRequest } from '../protocol/json-rpc.ts';
import { requestRevision } from '../protocol/revisions.ts';
import { type AnswerForm, answerFormFor } from '../request/accept.ts';
import type { Posted } from '../request/body.ts';
import { type FoundSession, SessionFinder } from '../request/find-session.ts';
import { GetHandler } from '../request/get.ts';
import { checkGet, hold } from '../request/hold.ts';
import { InitializeHandler } from '../request/initialize.ts';
import { PostHandler } from '../request/post.ts';
import { readPost } from '../request/read-post.ts';
import { SessionlessHandler } from '../request/sessionless.ts';
import { checkBatch } from '../request/validation.ts';
import { endAll, type EndAllOptions } from '../session/end-all.ts';
import { type ClientMessage, forward, isAddressed, mayConcernOthers } from '../session/forwarding.ts';
import type { LocalSession } from '../session/local-session.ts';
import { LocalSessions, pinned } from '../session/local-sessions.ts';
import type { AuthFacts, Caller, SdkAdapter } from '../session/sdk-adapter.ts';
import { ServerLifecycle } from '../session/server-lifecycle.ts';
import type { AnySession } from '../store/session-handle.ts';
import { factsOf } from '../store/session-record.ts';
import { guarded } from './guarded.ts';
import { type CloseOptions, drainMsOf, type FetchOptions, type SessionHandler } from './session-handler.ts';
import type { ResolvedOptions } from './resolve-options.ts';
import type { Shutdown } from './shutdown.ts';

/**
 * The handler of both SDK lines. The constructor is where the parts of a node are made and
 * connected.
 */
export class Handler implements SessionHandler<AuthFacts> {
  readonly fetch: SessionHandler<AuthFacts>['fetch'];
  readonly #sdk: SdkAdapter;
  readonly #options: ResolvedOptions;
  readonly #locals: LocalSessions;
  readonly #lifecycle: ServerLifecycle;
  readonly #initializes: InitializeHandler;
  readonly #sessionless: SessionlessHandler;
  readonly #posts: PostHandler;
  readonly #gets: GetHandler;
  readonly #lease: NodeLease;
  readonly #nodeId: string;
  readonly #finder: SessionFinder;
  readonly #shutdown: Shutdown;
  #closing: Promise<void> | undefined;

  constructor(sdk: SdkAdapter, options: ResolvedOptions, shutdown: Shutdown) {
    const { store } = options;
    const nodeId = newNodeId();
    const locals = new LocalSessions(options);
    const lease = new NodeLease(store, { ...options, nodeId });
    const context = {
      ...options,
      nodeId,
      startedAt: Date.now(),
      lease,
      locals,
      onClosed: (local: LocalSession) => locals.remove(local),
    };
    this.#sdk = sdk;
    this.#nodeId = nodeId;
    this.#options = options;
    this.#locals = locals;
    this.#lease = lease;
    this.#finder = new SessionFinder({ ...context, protocolVersions: sdk.protocolVersions });
    this.#lifecycle = new ServerLifecycle(sdk, context);
    this.#sessionless = new SessionlessHandler(sdk, { ...context, finder: this.#finder });
    this.#initializes = new InitializeHandler(this.#lifecycle, {
      ...context,
      onBegun: (local) => this.#begun(local),
    });
    this.#posts = new PostHandler(sdk, context);
    this.#gets = new GetHandler(context);
    this.#shutdown = shutdown;
    shutdown.waitFor(() => locals.answered());
    shutdown.waitFor(() => this.#sessionless.running.answered());
    const { gate } = options;
    this.fetch = guarded<AuthFacts>(options, async (request, given) =>
      gate.open(request, gate.preflight(request) ?? (await this.#answer(request, given))),
    );
  }

  get localSessions(): number {
    return this.#locals.size;
  }

  readonly broadcast = (notification: BroadcastNotification, options: BroadcastOptions = {}): Promise<number> =>
    broadcast(this.#options.store, notification, options);

  readonly endAll = (options: EndAllOptions): Promise<number> => endAll(this.#options, this.#locals, options);

  readonly close = async (options: CloseOptions = {}): Promise<void> => {
    const drainMs = drainMsOf(options);
    await (this.#closing ??= this.#close(drainMs));
  };

  async #answer(request: Request, { authInfo, parsedBody }: FetchOptions<AuthFacts>): Promise<Response> {
    const { method } = request;
    const caller = { request, authInfo };
    if (method === 'GET') return this.#getOrHold(caller);
    if (method !== 'POST' && method !== 'DELETE') throw notAllowed('GET, POST, DELETE');
    const serves = this.#shutdown.serves(request);
    // Running requests may still need their client's responses to end.
    if (this.#shutdown.isStopped || (!serves && method === 'DELETE')) throw closing();
    this.#lease.prepare();
    const work = (): Promise<Response> =>
      method === 'POST' ? this.#post(caller, parsedBody, serves) : this.#delete(caller);
    return serves ? this.#shutdown.admit(request, work) : work();
  }

  /** @param serves Whether a request in it is served, and not only responses and notifications. */
  async #post(caller: Caller, parsedBody: unknown, serves: boolean): Promise<Response> {
    const form = answerFormFor(caller.request, this.#options.prefersJson);
    const found = await this.#finder.findOrNone(caller);
    const { posted, initialize } = await readPost(caller.request, parsedBody, {
      maxBodyBytes: this.#options.maxBodyBytes,
      parse: (value) => this.#sdk.parseMessage(value),
      isUnknown: found === 'unknown',
    });
    if (!serves && posted.messages.some(isRequest)) throw closing();
    if (initialize !== undefined) return this.#initializes.handle(initialize, caller);
    if (found === 'unnamed' || found === 'unknown') {
      return this.#sessionless.handle({ why: found, posted, caller, form });
    }
    return this.#handlePosted(found, posted, caller, form);
  }

  async #handlePosted(
    { protocol, lastSeq, hasListener, source }: FoundSession,
    posted: Posted,
    caller: Caller,
    form: AnswerForm,
  ): Promise<Response> {
    const revision = requestRevision(caller.request, protocol.protocolVersion, this.#sdk.protocolVersions);
    checkBatch(posted, revision);
    const { messages, isBatch } = posted;
    if ('session' in source && !this.#locals.has(source.session.id) && messages.every(isAddressed)) {
      await this.#forward(source.session, messages);
      return emptyOf(202);
    }
    const work = (local: LocalSession): Promise<Response> =>
      this.#posts.handle(local, { messages, revision, lastSeq, caller, form, isBatch, hasListener });
    return 'session' in source ? this.#withLocal(source.session, caller, work) : pinned(source.local, work);
  }

  /**
   * Forwards messages of a session whose server is not on this node: another node may wait for
   * them.
   */
  async #forward(session: AnySession, messages: readonly ClientMessage[]): Promise<void> {
    const { health } = this.#options;
    for (const message of messages) {
      if (mayConcernOthers(message, this.#nodeId)) await forward(session, message, health);
    }
  }

  async #begun(local: LocalSession): Promise<void> {
    this.#options.journal.began(local.session);
    if (this.#shutdown.isStopped) await local.close();
    else this.#locals.add(local);
  }

  async #getOrHold(caller: Caller): Promise<Response> {
    checkGet(caller.request, this.#options);
    return hold(
      caller.request,
      this.#options,
      () => this.#get(caller),
      () => this.#shutdown.hasBegun,
    );
  }

  async #get(caller: Caller): Promise<Response> {
    this.#lease.prepare();
    const { session, get } = await this.#finder.findForStream(caller);
    return this.#withLocal(session, caller, (local) => this.#gets.handle(local, get));
  }

  async #delete(caller: Caller): Promise<Response> {
    const session = await this.#finder.find(caller);
    requestRevision(caller.request, session.protocol.protocolVersion, this.#sdk.protocolVersions);
    const local = this.#locals.get(session.id);
    if (!(await (local ?? session).end())) throw sessionNotFound();
    if (local === undefined) this.#options.journal.ended(session, 'deleted');
    await this.#options.platformSessions.release(session);
    return emptyOf(204);
  }

  async #withLocal(
    session: AnySession,
    caller: Caller,
    work: (local: LocalSession) => Promise<Response>,
  ): Promise<Response> {
    for (;;) {
      const local = await this.#locals.getOrRestore(session.id, async () => {
        const startedAt = performance.now();
        const restored = await this.#lifecycle.restore(session, caller);
        this.#options.journal.restored(session, startedAt);
        this.#locals.add(restored);
        return restored;
      });
      if (this.#shutdown.isStopped) {
        await local.close();
        throw closing();
      }
      // It may have been evicted meanwhile.
      if (local.closed) continue;
      const release = local.pin();
      try {
        const facts = factsOf(session);
        await this.#lifecycle.applySettings(local, facts, caller);
        await local.lists.sync(facts);
        return await work(local);
      } finally {
        release();
      }
    }
  }

  async #close(drainMs: number): Promise<void> {
    this.#options.journal.closing(this.#locals.size, drainMs);
    await this.#shutdown.drain(drainMs);
    this.#locals.stop();
    await Promise.all([
      ...this.#locals.all().map((local) => this.#posts.interrupt(local)),
      this.#sessionless.running.stop(),
    ]);
    await this.#lease.close();
    this.#options.journal.closed();
  }
}
