import { SessionError } from '@mcp-session/core';
import { HttpError, isStoreFailure, RETRY_AFTER } from './http-errors.ts';
import type { Posted } from './ingress.ts';
import {
  cancellation,
  errorResponse,
  INTERNAL_ERROR,
  isRequest,
  type JsonRpcRequest,
  type JsonRpcResponse,
} from './json-rpc.ts';
import { emptyOf, responseOf } from './known-bodies.ts';
import type { LocalSession, LocalSettings } from './local-session.ts';
import { SSE_HEADERS } from './open-connection.ts';
import type { RequestOutput } from './open-requests.ts';
import { notStored, PostStream } from './post-stream.ts';
import type { AuthFacts } from './principal.ts';
import { refusalOf, remember, rememberTold } from './remember.ts';
import type { Sdk, ServerLike } from './sdk.ts';
import { Settlement } from './settlement.ts';
import { cursorFrame, messageFrame, retryFrame } from './sse.ts';
import { isFailure } from './store-health.ts';
import type { Caller } from './server-life.ts';

/** The first revision whose clients know events with empty data, and come back to a stream that the server closed. */
export const FIRST_POLLING_REVISION = '2025-11-25';

/** A request that is being answered. */
interface Running {
  readonly request: JsonRpcRequest;
  readonly stream: PostStream;
}

/** The messages of a POST, for a session. */
export interface PostedTo<AuthInfo> {
  readonly messages: Posted['messages'];
  /** The protocol revision that governs the request. */
  readonly revision: string;
  /** Number of the session's newest event as of the request. */
  readonly sinceSeq: number;
  readonly caller: Caller<AuthInfo>;
}

/** A POST whose requests are being answered. */
interface Responding<AuthInfo> {
  readonly requests: readonly JsonRpcRequest[];
  readonly polls: boolean;
  readonly caller: Caller<AuthInfo>;
  readonly extra: unknown;
}

/** Answers POSTs: hands their messages to the session's server, and their responses out of the session's log. */
export class PostHandler<Server extends ServerLike, AuthInfo extends AuthFacts> {
  readonly #sdk: Sdk<Server, AuthInfo>;
  readonly #settings: LocalSettings;

  constructor(sdk: Sdk<Server, AuthInfo>, settings: LocalSettings) {
    this.#sdk = sdk;
    this.#settings = settings;
  }

  async handle(
    local: LocalSession<Server>,
    { messages, revision, sinceSeq, caller }: PostedTo<AuthInfo>,
  ): Promise<Response> {
    const refused = await this.#sdk.refuseScopes?.(local.transport, messages, caller.authInfo);
    if (refused !== undefined) return refused;
    await rememberTold(local, messages, this.#settings.health);
    // Where the session is served without the store, what the log holds is not known.
    const known = sinceSeq === Number.MAX_SAFE_INTEGER ? undefined : sinceSeq;
    const requests = messages.filter(isRequest);
    if (requests.length === 0) {
      const extra = this.#extra(caller, undefined, undefined);
      for (const message of messages) if (!isRequest(message)) await local.mail.post(message, extra, known);
      return emptyOf(202);
    }

    const { bounds, health } = this.#settings;
    bounds.checkRequests(local.transport.open.size, requests.length);
    const stream = new PostStream({
      session: local.session,
      health,
      streamId: local.transport.ids.nextStream(requests.length),
      sinceSeq,
      ids: requests.map(({ id }) => id),
      onLong: () => local.mail.watch(),
      onAppended: (eventId) => local.mail.appended(eventId),
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
      polls ? () => (health.degraded ? undefined : local.closeStandalone()) : undefined,
    );
    for (const request of requests) {
      const refusal = refusalOf(local, request);
      if (refusal !== undefined) void this.#answer(local, { stream, request }, refusal);
      else
        local.transport.request(request, stream, extra, (answer) => this.#answer(local, { stream, request }, answer));
    }
    try {
      for (const message of messages) if (!isRequest(message)) await local.mail.post(message, extra, known);
    } catch (error) {
      stream.close('');
      throw error;
    }
    return this.#respond(local, stream, { requests, polls, caller, extra });
  }

  /** Begins the response when the stream is in the log. */
  async #respond(
    local: LocalSession<Server>,
    stream: PostStream,
    { requests, polls, caller, extra }: Responding<AuthInfo>,
  ): Promise<Response> {
    let cursor: string | undefined;
    try {
      cursor = await stream.begun;
    } catch (error) {
      // Nobody will ever hear what they say.
      for (const { id } of requests)
        local.transport.cancel(cancellation(id, 'Session store failed'), id, extra, undefined, stream);
      if (!isFailure(error)) throw error;
      this.#settings.onError(error);
      throw new HttpError(503, 'Session store failed while the request was handled', undefined, RETRY_AFTER);
    }
    const { retryIntervalMs } = this.#settings;
    const opening = polls && cursor !== undefined ? cursorFrame(cursor, true) + retryFrame(retryIntervalMs) : '';
    const { only } = stream;
    if (only !== undefined) return responseOf(only === 'nothing' ? opening : opening + messageFrame(only), SSE_HEADERS);
    const lastFrame = stream.lastFrames ?? (local.closed ? retryFrame(retryIntervalMs) : undefined);
    if (lastFrame !== undefined) return responseOf(opening + lastFrame, SSE_HEADERS);
    const { streamId } = stream;
    const { response } = local.open({
      streamId,
      opening,
      after: cursor,
      unstored: cursor === undefined,
      settlement: new Settlement(requests.length),
      request: caller.request,
      // A client that cannot come back keeps the connection of its call.
      expiresAt: polls && cursor !== undefined ? caller.authInfo?.expiresAt : undefined,
    });
    stream.attach({
      push: (message, always) => local.push(streamId, message, always),
      close: (frame) => local.closeConnection(streamId, frame),
    });
    return response;
  }

  #pause(stream: PostStream): void {
    stream.pause().catch((error: unknown) => {
      const gone = error instanceof SessionError && error.code === 'SESSION_NOT_FOUND';
      if (!gone && !stream.failedWith(error)) this.#settings.onError(error);
    });
  }

  /** Lets go of a session, and leaves an error for each request that was being answered. */
  async interrupt(local: LocalSession<Server>): Promise<void> {
    const open = local.transport.open.ofClient();
    await local.close(true, async () => {
      for (const { id, stream } of open)
        await tryAppend(stream, errorResponse(id, INTERNAL_ERROR, 'Server was stopped while it handled the request'));
    });
  }

  async #answer(local: LocalSession<Server>, { stream, request }: Running, answer: JsonRpcResponse): Promise<void> {
    try {
      const refusal = answer.error === undefined ? await remember(local, request) : undefined;
      await stream.append(refusal ?? answer, true);
    } catch (error) {
      // Whoever answers the POST says so.
      if (stream.failedWith(error)) return;
      if (local.closed || (error instanceof SessionError && error.code === 'SESSION_NOT_FOUND')) return;
      this.#settings.onError(error);
      const failure = notStored(request.id);
      const stored = !isStoreFailure(error) && (await tryAppend(stream, failure));
      // Without an event id: the client must not take it for something that it can have again.
      if (stored) return;
      stream.close(messageFrame({ id: undefined, message: failure }));
      stream.settleLater(failure);
    }
  }

  #extra(
    { request, authInfo }: Caller<AuthInfo>,
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
