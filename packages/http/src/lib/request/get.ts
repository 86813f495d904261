import { SessionError } from '@mcp-session/core';
import { emptyOf } from '../protocol/buffered-body.ts';
import { HttpError } from '../protocol/http-errors.ts';
import type { LocalSession } from '../session/local-session.ts';
import type { NodeContext } from '../session/node-context.ts';
import { parseStandaloneCursor } from '../standalone/cursor.ts';
import type { StreamGet } from '../standalone/standalone-stream.ts';
import { endedMarker } from '../stream/markers.ts';
import { RequestStatus } from '../stream/request-status.ts';
import { interrupted } from '../stream/settle-later.ts';
import { Settlement } from '../stream/settlement.ts';
import { openingFrames } from '../stream/sse.ts';
import type { StreamReader } from '../stream/stream-reader.ts';
import { parseRequestStream, type RequestStream } from '../stream/stream-ids.ts';

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
    if (standalone !== undefined) return local.standalone.open(get, standalone);
    const streamId = local.session.events.streamOf(cursor);
    const stream = streamId === undefined ? undefined : parseRequestStream(streamId);
    // The other streams of the log are internal.
    if (stream === undefined) throw new SessionError('INVALID_CURSOR', 'Cursor belongs to no stream of the client');
    return this.#resumeRequest(local, get, { cursor, stream });
  }

  async #resumeRequest(
    local: LocalSession,
    { request, revision, expiresAt, scopes, lastSeq }: StreamGet,
    { cursor, stream }: { readonly cursor: string; readonly stream: RequestStream },
  ): Promise<Response> {
    const { streamId, requestCount } = stream;
    const { connections } = local;
    // Asked before the log is read: a request that ends in between has stored its response by then.
    const running = local.isRunning(streamId);
    const status = this.#statusOf(local, stream, running);
    const reader = await status.readTo(cursor, (after) => connections.reader(streamId, after));
    try {
      checkScopes(scopes, status.scopes);
      const settled = status.settledAt(cursor);
      // The status that tells an SSE client not to reconnect (HTML standard, section 9.2.3). SDK v1
      // otherwise reconnects forever after an error.
      if (settled.size >= requestCount) {
        reader.close();
        return emptyOf(204);
      }
      const { response, over } = connections.open({
        streamId,
        reader,
        opening: openingFrames(cursor, revision, this.#context.retryIntervalMs),
        settlement: new Settlement(requestCount, settled),
        openedSeq: lastSeq,
        request,
        expiresAt,
      });
      if (!running) local.attendance.report(streamId, over);
      if (!running) void this.#settleWhenDead({ local, stream, status, reader, over });
      return response;
    } catch (error) {
      reader.close();
      throw error;
    }
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
      }
      await settleAsInterrupted(local, stream, status);
    } catch (error) {
      if (!over.aborted) this.#context.onError(error);
    }
  }
}

/**
 * A weaker token of the same user must not receive what a stronger one asked for.
 *
 * @throws HttpError 403 with the challenge of RFC 6750, section 3.1.
 */
function checkScopes(given: readonly string[], required: readonly string[]): void {
  if (required.every((scope) => given.includes(scope))) return;
  throw new HttpError(403, 'Forbidden: token lacks a scope of the request that it resumes', undefined, {
    'www-authenticate': `Bearer error="insufficient_scope", scope="${required.filter(isScope).join(' ')}"`,
  });
}

/** Whether a text may stand in the challenge (RFC 6750, section 3). */
function isScope(text: string): boolean {
  return /^[\x21\x23-\x5b\x5d-\x7e]+$/.test(text);
}

async function settleAsInterrupted(
  { session }: LocalSession,
  { streamId }: RequestStream,
  status: RequestStatus,
): Promise<void> {
  await status.readAll(session);
  // If the ids of the requests were trimmed, no response can name them. The stream has to end all
  // the same.
  const answers =
    status.unsettled?.map(interrupted) ??
    Array.from({ length: status.unsettledCount }, (_, i) => endedMarker(`${streamId} ${i}`));
  for (const answer of answers) await session.events.append(streamId, answer);
}
