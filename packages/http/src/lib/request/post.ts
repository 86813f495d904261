import { SessionError } from '@mcp-session/core';
import { emptyOf, responseWithBody } from '../protocol/buffered-body.ts';
import { HttpError, isStoreFailure, RETRY_AFTER } from '../protocol/http-errors.ts';
import { cancellation, errorResponse, INTERNAL_ERROR, isRequest, type JsonRpcResponse } from '../protocol/json-rpc.ts';
import { FIRST_POLLING_REVISION } from '../protocol/revisions.ts';
import type { LocalSession } from '../session/local-session.ts';
import type { NodeContext } from '../session/node-context.ts';
import type { RequestOutput } from '../session/open-requests.ts';
import type { Caller, SdkAdapter } from '../session/sdk-adapter.ts';
import { isOutage } from '../store/health.ts';
import { PostResponse } from '../stream/post-response.ts';
import { notKept, notStored } from '../stream/settle-later.ts';
import { Settlement } from '../stream/settlement.ts';
import { messageFrame, openingFrames, SSE_HEADERS } from '../stream/sse.ts';
import { answerAsJson } from './json-answer.ts';
import type { PostedTo, Responding, Running } from './posted.ts';

/**
 * Answers POSTs: hands messages to the session's server, and sends responses from the session's
 * log.
 */
export class PostHandler {
  readonly #sdk: SdkAdapter;
  readonly #context: NodeContext;

  constructor(sdk: SdkAdapter, context: NodeContext) {
    this.#sdk = sdk;
    this.#context = context;
  }

  async handle(local: LocalSession, posted: PostedTo): Promise<Response> {
    const { messages, revision, lastSeq, caller, form, isBatch, hasListener } = posted;
    const { bounds, health } = this.#context;
    const refused = await this.#sdk.refuseScopes?.(local.transport, messages, caller.authInfo);
    if (refused !== undefined) return refused;
    await local.settings.storeNotified(messages, health);
    await local.keepPlatformId();
    const requests = messages.filter(isRequest);
    if (requests.length === 0) {
      await local.inbox.deliverAll(messages, this.#extra(caller), lastSeq);
      return emptyOf(202);
    }

    const { id: sessionId, principal } = local.session;
    const done = bounds.beginRequests({ sessionId, principal }, requests.length);
    let unstarted = requests.length;
    const ids = requests.map(({ id }) => id);
    const stream = new PostResponse({
      session: local.session,
      health,
      streamId: local.transport.ids.nextStream(ids),
      // Without the store, it is unknown what other nodes forwarded. Every such message counts as
      // older.
      sinceSeq: lastSeq ?? Number.MAX_SAFE_INTEGER,
      ids,
      scopes: caller.authInfo?.scopes ?? [],
      onStreaming: () => local.inbox.watch(),
      onAppended: (eventId) => local.inbox.appended(eventId),
      sendAside: form === 'json' ? (message) => local.sendAside(message, hasListener) : undefined,
    });
    local.attendance.begin(stream.streamId);
    const polls = revision >= FIRST_POLLING_REVISION && form === 'sse';
    const extra = this.#extra(caller, polls ? { local, stream } : undefined);
    try {
      // If the store is known to fail, do not run a request that cannot be answered.
      if (health.writesFail && !health.degrades) {
        stream.open();
        await stream.begun;
      }
      for (const request of requests) {
        const report = this.#context.journal.operation(request, local.session, revision);
        unstarted--;
        this.#run(local, { request, stream, report, done }, extra);
      }
      await local.inbox.deliverAll(messages, extra, lastSeq);
    } catch (error) {
      done(unstarted);
      stream.open();
      throw error;
    }
    return this.#respond(local, stream, { requests, polls, revision, caller, extra, form, isBatch });
  }

  /** Releases a session, and leaves an error for each request that was being answered. */
  async interrupt(local: LocalSession): Promise<void> {
    const open = local.transport.open.ofClient();
    await local.close('restart', async () => {
      for (const { id, stream } of open) {
        await tryAppend(stream, errorResponse(id, INTERNAL_ERROR, 'Server was stopped while it handled the request'));
      }
    });
  }

  #run(local: LocalSession, running: Running, extra: unknown): void {
    const { request, stream, report, done } = running;
    const refusal = local.settings.refusalOf(request);
    if (refusal !== undefined) {
      void this.#answer(local, running, refusal);
      return;
    }
    const answer = (response: JsonRpcResponse): Promise<void> => this.#answer(local, running, response);
    const dropped = (why: 'cancelled' | 'interrupted'): void => {
      report?.failed(why);
      done();
    };
    const run = (): void => local.transport.request(request, stream, extra, answer, dropped);
    if (report === undefined) run();
    else report.run(run);
  }

  /** Sends the response once the stream has begun. */
  async #respond(local: LocalSession, stream: PostResponse, responding: Responding): Promise<Response> {
    const { requests, polls, revision, caller } = responding;
    const cursor = await this.#begin(local, stream, responding);
    if (responding.form === 'json') return answerAsJson(local, stream, { ...responding, cursor });
    const { streamId, complete } = stream;
    // Without a first cursor: nothing is left to resume, and strict clients stop at an event
    // without data.
    if (complete !== undefined) {
      return responseWithBody(complete === 'nothing' ? '' : messageFrame(complete), SSE_HEADERS);
    }
    const canComeBack = polls && cursor !== undefined;
    const opening = canComeBack ? openingFrames(cursor, revision, this.#context) : '';
    if (local.closingFrame !== undefined) return responseWithBody(opening + local.closingFrame, SSE_HEADERS);
    const { response } = local.connections.open({
      streamId,
      reader: cursor === undefined ? undefined : local.connections.reader(streamId, cursor),
      opening,
      settlement: new Settlement(requests.length),
      request: caller.request,
      expiresAt: caller.authInfo?.expiresAt,
      // A client that cannot come back keeps the connection of its call.
      staysOpen: !canComeBack,
    });
    stream.attach(local.connections);
    return response;
  }

  /**
   * Waits for the stream to begin.
   *
   * @returns The client's first cursor; `undefined`: the stream is not stored.
   */
  async #begin(local: LocalSession, stream: PostResponse, responding: Responding): Promise<string | undefined> {
    try {
      return await stream.begun;
    } catch (error) {
      // No client will ever get the responses.
      for (const { id } of responding.requests) {
        local.transport.cancel(cancellation(id, 'Session store failed'), id, responding.extra, undefined, stream);
      }
      if (!isOutage(error)) throw error;
      this.#context.onError(error);
      throw new HttpError(503, 'Session store failed while the request was handled', undefined, RETRY_AFTER, 'store');
    }
  }

  async #answer(
    local: LocalSession,
    { stream, request, report, done }: Running,
    answer: JsonRpcResponse,
  ): Promise<void> {
    try {
      const refusal = answer.error === undefined ? await local.settings.store(request) : undefined;
      await local.lists.answered(request, answer);
      await stream.append(refusal ?? answer, true);
    } catch (error) {
      // The answer to the POST reports this failure.
      if (stream.failedWith(error)) return;
      if (local.closed || isSessionGone(error)) return;
      this.#context.onError(error);
      const isTooLarge = error instanceof SessionError && error.code === 'EVENT_TOO_LARGE';
      // This client gets it all the same. What is stored instead is for one that comes back.
      if (isTooLarge) stream.push(answer);
      const failure = isTooLarge ? notKept(request.id, error) : notStored(request.id);
      if (!isStoreFailure(error) && (await tryAppend(stream, failure))) return;
      if (!isTooLarge) stream.push(failure);
      stream.settleLater(failure);
    } finally {
      report?.answered(answer);
      done();
    }
  }

  #pause(stream: PostResponse): void {
    stream.pause().catch((error: unknown) => {
      if (!isSessionGone(error) && !stream.failedWith(error)) this.#context.onError(error);
    });
  }

  /**
   * @param polling The streams that a handler may close; `undefined`: their client would not come
   * back.
   */
  #extra(
    { request, authInfo }: Caller,
    polling?: { readonly local: LocalSession; readonly stream: PostResponse },
  ): unknown {
    const { health } = this.#context;
    return this.#sdk.messageExtra({
      request,
      authInfo,
      closeStream: polling && (() => this.#pause(polling.stream)),
      closeStandaloneStream: polling && (() => (health.degraded ? undefined : polling.local.standalone.evict())),
    });
  }
}

function isSessionGone(error: unknown): boolean {
  return error instanceof SessionError && error.code === 'SESSION_NOT_FOUND';
}

async function tryAppend(stream: RequestOutput, message: unknown): Promise<boolean> {
  try {
    await stream.append(message);
    return true;
  } catch {
    return false;
  }
}
