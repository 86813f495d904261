import { SessionError } from '@mcp-session/core';
import { HttpError, isStoreFailure, RETRY_AFTER } from '../protocol/http-errors.ts';
import {
  cancellation,
  errorResponse,
  INTERNAL_ERROR,
  isRequest,
  type JsonRpcRequest,
  type JsonRpcResponse,
} from '../protocol/json-rpc.ts';
import { emptyOf, responseWithBody } from '../protocol/buffered-body.ts';
import type { LocalSession } from '../session/local-session.ts';
import { notStored, PostResponse } from '../stream/post-response.ts';
import type { RequestOutput } from '../session/open-requests.ts';
import type { Caller, SdkAdapter } from '../session/sdk-adapter.ts';
import { Settlement } from '../stream/settlement.ts';
import { cursorFrame, messageFrame, retryFrame, SSE_HEADERS } from '../stream/sse.ts';
import { isFailure } from '../store/health.ts';
import type { Posted } from './body.ts';
import { FIRST_POLLING_REVISION } from '../protocol/revisions.ts';
import type { NodeContext } from '../session/node-context.ts';

/** A request that is being answered. */
interface Running {
  readonly request: JsonRpcRequest;
  readonly stream: PostResponse;
}

/** The messages of a POST, for a session. */
export interface PostedTo {
  readonly messages: Posted['messages'];
  /** The protocol revision that governs the request. */
  readonly revision: string;
  /** Number of the session's newest event as of the request. */
  readonly sinceSeq: number;
  readonly caller: Caller;
}

/** A POST whose requests are being answered. */
interface Responding {
  readonly requests: readonly JsonRpcRequest[];
  readonly polls: boolean;
  readonly caller: Caller;
  readonly extra: unknown;
}

/** Answers POSTs: hands their messages to the session's server, and their responses out of the session's log. */
export class PostHandler {
  readonly #sdk: SdkAdapter;
  readonly #context: NodeContext;

  constructor(sdk: SdkAdapter, context: NodeContext) {
    this.#sdk = sdk;
    this.#context = context;
  }

  async handle(local: LocalSession, { messages, revision, sinceSeq, caller }: PostedTo): Promise<Response> {
    const refused = await this.#sdk.refuseScopes?.(local.transport, messages, caller.authInfo);
    if (refused !== undefined) return refused;
    await local.settings.storeNotified(messages, this.#context.health);
    // Where the session is served without the store, what the log holds is not known.
    const known = sinceSeq === Number.MAX_SAFE_INTEGER ? undefined : sinceSeq;
    const requests = messages.filter(isRequest);
    if (requests.length === 0) {
      const extra = this.#extra(caller, undefined, undefined);
      for (const message of messages) if (!isRequest(message)) await local.inbox.deliver(message, extra, known);
      return emptyOf(202);
    }

    const { bounds, health } = this.#context;
    bounds.checkRequests(local.transport.open.size, requests.length);
    const stream = new PostResponse({
      session: local.session,
      health,
      streamId: local.transport.ids.nextStream(requests.length),
      sinceSeq,
      ids: requests.map(({ id }) => id),
      onLong: () => local.inbox.watch(),
      onAppended: (eventId) => local.inbox.appended(eventId),
    });
    // Where the store is known to fail, no request is run that could not be answered.
    if (health.writesFail && !health.degrades) {
      stream.open();
      await stream.begun;
    }
    const polls = revision >= FIRST_POLLING_REVISION;
    const extra = this.#extra(
      caller,
      polls ? () => this.#pause(stream) : undefined,
      polls ? () => (health.degraded ? undefined : local.standalone.evict()) : undefined,
    );
    for (const request of requests) {
      const refusal = local.settings.refusalOf(request);
      if (refusal !== undefined) void this.#answer(local, { stream, request }, refusal);
      else
        local.transport.request(request, stream, extra, (answer) => this.#answer(local, { stream, request }, answer));
    }
    try {
      for (const message of messages) if (!isRequest(message)) await local.inbox.deliver(message, extra, known);
    } catch (error) {
      stream.close('');
      throw error;
    }
    return this.#respond(local, stream, { requests, polls, caller, extra });
  }

  /** Begins the response when the stream is in the log. */
  async #respond(
    local: LocalSession,
    stream: PostResponse,
    { requests, polls, caller, extra }: Responding,
  ): Promise<Response> {
    let cursor: string | undefined;
    try {
      cursor = await stream.begun;
    } catch (error) {
      // Nobody will ever hear what they say.
      for (const { id } of requests)
        local.transport.cancel(cancellation(id, 'Session store failed'), id, extra, undefined, stream);
      if (!isFailure(error)) throw error;
      this.#context.onError(error);
      throw new HttpError(503, 'Session store failed while the request was handled', undefined, RETRY_AFTER);
    }
    const { retryIntervalMs } = this.#context;
    const opening = polls && cursor !== undefined ? cursorFrame(cursor, true) + retryFrame(retryIntervalMs) : '';
    const { only } = stream;
    if (only !== undefined)
      return responseWithBody(only === 'nothing' ? opening : opening + messageFrame(only), SSE_HEADERS);
    const lastFrame = stream.lastFrames ?? (local.closed ? retryFrame(retryIntervalMs) : undefined);
    if (lastFrame !== undefined) return responseWithBody(opening + lastFrame, SSE_HEADERS);
    const { streamId } = stream;
    const { response } = local.connections.open({
      streamId,
      opening,
      reader: cursor === undefined ? undefined : local.connections.reader(streamId, cursor),
      settlement: new Settlement(requests.length),
      request: caller.request,
      // A client that cannot come back keeps the connection of its call.
      expiresAt: polls && cursor !== undefined ? caller.authInfo?.expiresAt : undefined,
    });
    stream.attach(local.connections);
    return response;
  }

  #pause(stream: PostResponse): void {
    stream.pause().catch((error: unknown) => {
      const gone = error instanceof SessionError && error.code === 'SESSION_NOT_FOUND';
      if (!gone && !stream.failedWith(error)) this.#context.onError(error);
    });
  }

  /** Lets go of a session, and leaves an error for each request that was being answered. */
  async interrupt(local: LocalSession): Promise<void> {
    const open = local.transport.open.ofClient();
    await local.close(true, async () => {
      for (const { id, stream } of open)
        await tryAppend(stream, errorResponse(id, INTERNAL_ERROR, 'Server was stopped while it handled the request'));
    });
  }

  async #answer(local: LocalSession, { stream, request }: Running, answer: JsonRpcResponse): Promise<void> {
    try {
      const refusal = answer.error === undefined ? await local.settings.store(request) : undefined;
      await stream.append(refusal ?? answer, true);
    } catch (error) {
      // Whoever answers the POST says so.
      if (stream.failedWith(error)) return;
      if (local.closed || (error instanceof SessionError && error.code === 'SESSION_NOT_FOUND')) return;
      this.#context.onError(error);
      const failure = notStored(request.id);
      const stored = !isStoreFailure(error) && (await tryAppend(stream, failure));
      // Without an event id: the client must not take it for something that it can have again.
      if (stored) return;
      stream.close(messageFrame({ id: undefined, message: failure }));
      stream.settleLater(failure);
    }
  }

  #extra(
    { request, authInfo }: Caller,
    closeStream: (() => void) | undefined,
    closeStandaloneStream: (() => void) | undefined,
  ): unknown {
    return this.#sdk.messageExtra({ request, authInfo, closeStream, closeStandaloneStream });
  }
}

async function tryAppend(stream: RequestOutput, message: unknown): Promise<boolean> {
  try {
    await stream.append(message);
    return true;
  } catch {
    return false;
  }
}
