import { EventsTrimmedError, SessionError } from '@mcp-session/core';
import { emptyOf, responseWithBody } from '../protocol/buffered-body.ts';
import { HttpError, notAllowed } from '../protocol/http-errors.ts';
import { errorResponse, INTERNAL_ERROR } from '../protocol/json-rpc.ts';
import type { LocalSession } from '../session/local-session.ts';
import type { NodeContext } from '../session/node-context.ts';
import { parseStandaloneCursor } from '../standalone/cursor.ts';
import type { StreamGet } from '../standalone/stream-get.ts';
import type { AnySession } from '../store/session-handle.ts';
import { endedMarker } from '../stream/markers.ts';
import { RequestStatus } from '../stream/request-status.ts';
import { interrupted } from '../stream/settle-later.ts';
import { Settlement } from '../stream/settlement.ts';
import { messageFrame, openingFrames, SSE_HEADERS } from '../stream/sse.ts';
import type { StreamReader } from '../stream/stream-reader.ts';
import { behind, parseRequestStream, type RequestStream } from '../stream/stream-ids.ts';

const TRIMMED = 'Response is no longer kept: the client was away for too long';

/** A request stream that a client resumes. */
interface Resuming {
  readonly cursor: string;
  readonly stream: RequestStream;
  readonly status: RequestStatus;
  /** Whether the requests run on this node. */
  readonly running: boolean;
  readonly reader: StreamReader;
}

/** A request stream that a client has resumed on a node that does not run its requests. */
interface Resumed {
  readonly local: LocalSession;
  readonly stream: RequestStream;
  readonly status: RequestStatus;
  readonly reader: StreamReader;
  readonly over: AbortSignal;
}

/** Answers GETs from the session's log. */
export class GetHandler {
  readonly #context: NodeContext;
  /** The status of each stream that runs here and was resumed. */
  readonly #statuses = new WeakMap<LocalSession, Map<string, RequestStatus>>();

  constructor(context: NodeContext) {
    this.#context = context;
  }

  async handle(local: LocalSession, get: StreamGet): Promise<Response> {
    this.#context.bounds.checkStreams(local.session.principal);
    // A client that has received no id yet may send an empty header.
    const cursor = get.request.headers.get('last-event-id') || undefined;
    if (cursor === undefined) return local.standalone.open(get, undefined);
    const standalone = parseStandaloneCursor(local.session, cursor);
    if (standalone !== undefined) {
      if (!this.#context.standaloneStream) throw notAllowed('POST, DELETE');
      return local.standalone.open({ ...get, resumedBehind: behind(standalone.id, get.lastSeq) }, standalone);
    }
    const streamId = local.session.events.streamOf(cursor);
    const stream = streamId === undefined ? undefined : parseRequestStream(streamId);
    // The other streams of the log are internal.
    if (stream === undefined) throw new SessionError('INVALID_CURSOR', 'Cursor belongs to no stream of the client');
    return this.#resumeRequest(local, get, { cursor, stream });
  }

  async #resumeRequest(
    local: LocalSession,
    get: StreamGet,
    { cursor, stream }: { readonly cursor: string; readonly stream: RequestStream },
  ): Promise<Response> {
    const { streamId } = stream;
    const { connections } = local;
    // Asked before the log is read: a request that ends in between has stored its response by then.
    const running = local.isRunning(streamId);
    const status = this.#statusOf(local, stream, running);
    const open = (after: string | undefined): StreamReader => connections.reader(streamId, after);
    const reader = await status.readTo(cursor, open).catch((error: unknown) => {
      if (error instanceof EventsTrimmedError) return undefined;
      throw error;
    });
    if (reader === undefined && !running && !(await hasEvents(local.session, streamId))) {
      return this.#answerTrimmed(stream);
    }
    return this.#follow(local, get, { cursor, stream, status, running, reader: reader ?? open(undefined) });
  }

  #follow(local: LocalSession, get: StreamGet, resuming: Resuming): Response {
    const { request, revision, expiresAt, scopes, lastSeq } = get;
    const { cursor, stream, status, running, reader } = resuming;
    try {
      if (!status.admits(scopes)) throw lacksScopes(status.scopes);
      const settled = status.settledAt(cursor);
      if (settled.size >= stream.requestCount) {
        reader.close();
        return nothingLeft();
      }
      const { response, over } = local.connections.open({
        streamId: stream.streamId,
        reader,
        opening: openingFrames(cursor, revision, this.#context),
        settlement: new Settlement(stream.requestCount, settled),
        openedSeq: lastSeq,
        resumedBehind: behind(cursor, lastSeq),
        request,
        expiresAt,
      });
      if (!running) local.attendance.report(stream.streamId, over);
      if (!running) void this.#settleWhenDead({ local, stream, status, reader, over });
      return response;
    } catch (error) {
      reader.close();
      throw error;
    }
  }

  /** Ends a stream of which nothing is kept: its response was trimmed, or was never stored. */
  #answerTrimmed({ requestId }: RequestStream): Response {
    this.#context.onError(new Error('Response of a request was trimmed before its client came back for it'));
    if (requestId === undefined) return nothingLeft();
    const message = errorResponse(requestId, INTERNAL_ERROR, TRIMMED);
    return responseWithBody(messageFrame({ id: undefined, message }), SSE_HEADERS);
  }

  /**
   * Keeps the status of a running stream, so that a client that polls does not cause a read of
   * the whole stream each time.
   */
  #statusOf(local: LocalSession, stream: RequestStream, running: boolean): RequestStatus {
    const known = this.#statuses.get(local) ?? new Map<string, RequestStatus>();
    this.#statuses.set(local, known);
    for (const streamId of known.keys()) if (!local.isRunning(streamId)) known.delete(streamId);
    const status = known.get(stream.streamId) ?? new RequestStatus(stream);
    if (running) known.set(stream.streamId, status);
    return status;
  }

  /**
   * Waits as long as the client waits, until the process of the node that runs the requests has
   * ended or its lease has expired. Then answers the remaining requests with an error.
   */
  async #settleWhenDead({ local, stream, status, reader, over }: Resumed): Promise<void> {
    try {
      // The client first gets everything that is stored, which usually holds the responses.
      await reader.caughtUp;
      if (over.aborted) return;
      // A request that ran on this node and does not any more has no response: it could not be
      // stored.
      if (stream.nodeId !== this.#context.nodeId) {
        await this.#context.lease.untilOver(stream.nodeId, status.openedAt, over);
        if (over.aborted) return;
        this.#context.journal.tookOver(local.session, stream.nodeId);
      }
      await settleAsInterrupted(local, stream, status);
    } catch (error) {
      if (!over.aborted) this.#context.onError(error);
    }
  }
}

/**
 * A weaker token of the same user must not receive what a stronger one asked for. The challenge is
 * that of RFC 6750, section 3.1.
 *
 * @param required `undefined`: unknown.
 */
function lacksScopes(required: readonly string[] | undefined): HttpError {
  const scope = required === undefined ? '' : `, scope="${required.filter(isScope).join(' ')}"`;
  return new HttpError(403, 'Forbidden: token lacks a scope of the request that it resumes', undefined, {
    'www-authenticate': `Bearer error="insufficient_scope"${scope}`,
  });
}

/** Whether a text may stand in the challenge (RFC 6750, section 3). */
function isScope(text: string): boolean {
  return /^[\x21\x23-\x5b\x5d-\x7e]+$/.test(text);
}

/**
 * The status that tells an SSE client not to reconnect (HTML standard, section 9.2.3). SDK v1
 * otherwise reconnects forever after an error.
 */
function nothingLeft(): Response {
  return emptyOf(204);
}

async function hasEvents({ events }: AnySession, streamId: string): Promise<boolean> {
  return (await events.recent(1, streamId)).length > 0;
}

async function settleAsInterrupted(
  { session }: LocalSession,
  { streamId, requestId }: RequestStream,
  status: RequestStatus,
): Promise<void> {
  await status.readAll(session);
  const ids = status.unsettled ?? (requestId !== undefined && status.unsettledCount > 0 ? [requestId] : undefined);
  // If the ids of several requests were trimmed, no response can name them. The stream has to end
  // all the same.
  const answers =
    ids?.map(interrupted) ?? Array.from({ length: status.unsettledCount }, (_, i) => endedMarker(`${streamId} ${i}`));
  for (const answer of answers) await session.events.append(streamId, answer);
}
