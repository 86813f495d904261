import { kindOf } from '@mcp-session/core/backend';
import { emptyOf } from '../protocol/buffered-body.ts';
import { notReady, sessionNotFound } from '../protocol/http-errors.ts';
import { isRequest } from '../protocol/json-rpc.ts';
import { requestRevision } from '../protocol/revisions.ts';
import type { Journal } from '../reports/journal.ts';
import { TimeLimit } from '../runtime/time-limit.ts';
import type { Caller, SdkAdapter, ServerLike } from '../session/sdk-adapter.ts';
import type { ServerFactory } from '../session/server-lifecycle.ts';
import type { Bounds } from '../stream/bounds.ts';
import type { AnswerForm } from './accept.ts';
import type { Posted } from './body.ts';
import type { SessionFinder } from './find-session.ts';
import { OneShot, OneShots } from './one-shot.ts';
import type { PlatformSessions } from '../store/platform-sessions.ts';
import { checkBatch } from './validation.ts';
import { wholeAnswer } from './whole-answer.ts';

export interface SessionlessHandlerContext {
  readonly finder: SessionFinder;
  readonly platformSessions: PlatformSessions;
  readonly servers: Pick<ServerFactory, 'createStateless'>;
  readonly principalOf: (caller: Caller) => Promise<string | null>;
  readonly bounds: Bounds;
  readonly keepAliveMs: number;
  readonly setupTimeoutMs: number;
  readonly onError: (error: unknown) => void;
  readonly journal: Journal;
}

/** A POST that has no session and begins none. */
export interface SessionlessPost {
  /** The request names no session, or one that does not exist. */
  readonly why: 'unnamed' | 'unknown';
  readonly posted: Posted;
  readonly caller: Caller;
  readonly form: AnswerForm;
}

/** Answers POSTs that have no session and begin none. */
export class SessionlessHandler {
  readonly running: OneShots = new OneShots();
  readonly #sdk: SdkAdapter;
  readonly #context: SessionlessHandlerContext;

  constructor(sdk: SdkAdapter, context: SessionlessHandlerContext) {
    this.#sdk = sdk;
    this.#context = context;
  }

  /** @throws HttpError 400, 404, 429, or 503 if a server is not ready in time. */
  async handle(post: SessionlessPost): Promise<Response> {
    const { why, posted, caller, form } = post;
    if (why === 'unknown') return this.#pong(posted, caller);
    const { servers, finder, principalOf, bounds } = this.#context;
    const { createStateless } = servers;
    if (createStateless === undefined) throw finder.idIsMissing(caller.request);
    const revision = requestRevision(caller.request, undefined, this.#sdk.protocolVersions);
    checkBatch(posted, revision);
    const count = posted.messages.filter(isRequest).length;
    if (count === 0) return emptyOf(202);
    const principal = await principalOf(caller);
    const uncount = bounds.beginRequests({ principal }, count);
    let oneShot: OneShot | undefined;
    try {
      const server = await this.#make(createStateless(caller, principal));
      const onStream = (): (() => void) => this.#openStream();
      oneShot = new OneShot(server, posted, caller, { ...this.#context, revision, onStream });
      this.running.add(oneShot);
      return await oneShot.answer(this.#sdk, form);
    } catch (error) {
      await oneShot?.close();
      throw error;
    } finally {
      const over = oneShot?.over ?? Promise.resolve();
      void over.then(() => uncount(count));
    }
  }

  #openStream(): () => void {
    const { journal } = this.#context;
    const openedAt = performance.now();
    journal.streamOpened(undefined, 'request');
    return () => journal.streamClosed(undefined, 'request', openedAt);
  }

  async #make(making: Promise<ServerLike>): Promise<ServerLike> {
    const { setupTimeoutMs, onError } = this.#context;
    const limit = new TimeLimit(setupTimeoutMs, () => {
      onError(new Error(`Server without a session was not made within setupTimeoutMs, ${setupTimeoutMs} ms`));
      return notReady();
    });
    try {
      const server: unknown = await limit.within(making);
      const { connect } = (server ?? {}) as { readonly connect?: unknown };
      if (typeof connect === 'function') return server as ServerLike;
      throw new TypeError(`Option createStatelessServer returned ${kindOf(server)}; return an McpServer`);
    } finally {
      limit.end();
    }
  }

  /** Platforms ask whether the server is there before any client comes. */
  #pong({ messages }: Posted, { request }: Caller): Response {
    const [message] = messages;
    const isPing = message !== undefined && isRequest(message) && message.method === 'ping' && messages.length === 1;
    if (!isPing || this.#context.platformSessions.idOf(request) === undefined) throw sessionNotFound();
    return wholeAnswer(request, { jsonrpc: '2.0', id: message.id, result: {} });
  }
}
