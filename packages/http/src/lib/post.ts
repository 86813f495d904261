import { type ProtocolFacts, SessionError } from '@mcp-session/core';
import { settingsOf } from './facts.ts';
import type { Posted } from './ingress.ts';
import {
  errorResponse,
  INTERNAL_ERROR,
  isNotification,
  isRequest,
  type JsonRpcRequest,
  type JsonRpcResponse,
  textParam,
} from './json-rpc.ts';
import type { LocalSession, LocalSettings } from './local-session.ts';
import type { AuthFacts } from './principal.ts';
import type { Sdk, ServerLike } from './sdk.ts';
import { cursorFrame, messageFrame, retryFrame } from './sse.ts';
import { STANDALONE_STREAM } from './standalone.ts';
import { type AnySession, appendAgain, openedMark, readProgress, requestStream } from './streams.ts';
import type { Caller } from './server-life.ts';

/** The first revision whose clients know events with empty data, and come back to a stream that the server closed. */
export const FIRST_POLLING_REVISION = '2025-11-25';

/** A request that is being answered. */
interface Running {
  readonly request: JsonRpcRequest;
  readonly streamId: string;
  /** Unix milliseconds. */
  readonly beganAt: number;
}

/** Answers POSTs: hands their messages to the session's server, and their responses out of the session's log. */
export class PostHandler<Server extends ServerLike, AuthInfo extends AuthFacts> {
  readonly #sdk: Sdk<Server, AuthInfo>;
  readonly #settings: LocalSettings;
  #streams = 0;

  constructor(sdk: Sdk<Server, AuthInfo>, settings: LocalSettings) {
    this.#sdk = sdk;
    this.#settings = settings;
  }

  /** @param revision The protocol revision that governs the request. */
  async handle(
    local: LocalSession<Server>,
    { messages }: Posted,
    revision: string,
    caller: Caller<AuthInfo>,
  ): Promise<Response> {
    const refused = await this.#sdk.refuseScopes?.(local.transport, messages, caller.authInfo);
    if (refused !== undefined) return refused;
    if (messages.some((message) => isNotification(message) && message.method === 'notifications/initialized')) {
      await changeSettings(local, (facts) => ({ ...facts, initialized: true }));
    }
    const requests = messages.filter(isRequest);
    if (requests.length === 0) {
      const extra = this.#extra(caller, undefined, undefined);
      for (const message of messages) if (!isRequest(message)) await local.mail.post(message, extra);
      return new Response(null, { status: 202 });
    }

    const { streamId } = requestStream(requests.length, this.#settings.nodeId, ++this.#streams);
    const beganAt = Date.now();
    const cursor = await local.session.events.append(streamId, openedMark(requests.map(({ id }) => id)));
    const polls = revision >= FIRST_POLLING_REVISION;
    const opening = polls ? cursorFrame(cursor, true) + retryFrame(this.#settings.retryIntervalMs) : '';
    const { response } = local.open({
      streamId,
      opening,
      after: cursor,
      unsettled: requests.length,
      request: caller.request,
    });
    const extra = this.#extra(
      caller,
      polls ? () => local.closeConnection(streamId) : undefined,
      polls ? () => local.closeConnection(STANDALONE_STREAM) : undefined,
    );
    for (const request of requests) {
      local.transport.request(request, { streamId, cursor }, extra, (answer) =>
        this.#answer(local, { streamId, request, beganAt }, answer),
      );
    }
    local.mail.watch(beganAt);
    try {
      for (const message of messages) if (!isRequest(message)) await local.mail.post(message, extra);
    } catch (error) {
      local.closeConnection(streamId);
      throw error;
    }
    return response;
  }

  /** Lets go of a session, and leaves an error for each request that was being answered. */
  async interrupt(local: LocalSession<Server>): Promise<void> {
    const open = local.transport.openRequests();
    await local.close(true, async () => {
      for (const { id, streamId } of open) {
        await tryAppend(
          local.session,
          streamId,
          errorResponse(id, INTERNAL_ERROR, 'Server was stopped while it handled the request'),
        );
      }
    });
  }

  async #answer(
    local: LocalSession<Server>,
    { streamId, request, beganAt }: Running,
    answer: JsonRpcResponse,
  ): Promise<void> {
    try {
      // Taken for dead, so the client may have been told that there is no answer, and must not get a second one.
      if (this.#settings.lease.lapsed(beganAt)) {
        const { unsettled } = await readProgress(local.session, streamId);
        if (unsettled?.includes(request.id) === false) return;
      }
      if (answer.error === undefined) await remember(local, request);
      await appendAgain(local.session, streamId, answer);
    } catch (error) {
      if (local.closed || (error instanceof SessionError && error.code === 'SESSION_NOT_FOUND')) return;
      this.#settings.onError(error);
      const failure = errorResponse(request.id, INTERNAL_ERROR, 'Answer could not be stored');
      const stored =
        error instanceof SessionError &&
        !error.code.startsWith('STORE_') &&
        (await tryAppend(local.session, streamId, failure));
      // Without an event id: the client must not take it for something that it can have again.
      if (!stored) local.closeConnection(streamId, messageFrame({ id: undefined, message: failure }));
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

/** Keeps with the session what its server was asked to remember, for those on other nodes and those that come after it. */
async function remember(local: LocalSession<ServerLike>, { method, params }: JsonRpcRequest): Promise<void> {
  const level = method === 'logging/setLevel' ? textParam(params, 'level') : undefined;
  if (level !== undefined) await changeSettings(local, (facts) => ({ ...facts, logLevel: level }));
  const uri = textParam(params, 'uri');
  if (uri === undefined || !(method === 'resources/subscribe' || method === 'resources/unsubscribe')) return;
  await changeSettings(local, (facts) => {
    const others = (facts.subscriptions ?? []).filter((each) => each !== uri);
    return { ...facts, subscriptions: method === 'resources/subscribe' ? [...others, uri] : others };
  });
}

/** Stores a change that this node's server knows of. */
async function changeSettings(
  local: LocalSession<ServerLike>,
  change: (facts: ProtocolFacts) => ProtocolFacts,
): Promise<void> {
  const facts = await local.session.updateProtocol((current) => ({
    ...change(current),
    settings: settingsOf(current).version + 1,
  }));
  const settings = settingsOf(facts);
  // Where another node has changed something as well, the server is told of both with its next request.
  if (settings.version === local.settings.version + 1) local.settings = settings;
}

async function tryAppend(session: AnySession, streamId: string, message: unknown): Promise<boolean> {
  try {
    await session.events.append(streamId, message);
    return true;
  } catch {
    return false;
  }
}
