import { SessionError } from '@mcp-session/core';
import { setTimeout as pause } from 'node:timers/promises';
import { emptyOf } from '../protocol/buffered-body.ts';
import { errorResponse, INTERNAL_ERROR } from '../protocol/json-rpc.ts';
import type { LocalSession } from '../session/local-session.ts';
import type { NodeContext } from '../session/node-context.ts';
import { parseStandaloneCursor } from '../standalone/cursor.ts';
import type { StandaloneGet } from '../standalone/standalone-stream.ts';
import { endedMarker } from '../stream/markers.ts';
import { RequestStatus, verifyCursor } from '../stream/request-status.ts';
import { Settlement } from '../stream/settlement.ts';
import { openingFrames } from '../stream/sse.ts';
import { parseRequestStream, type RequestStream } from '../stream/stream-ids.ts';

const INTERRUPTED = 'Request was interrupted: the server that handled it has stopped';

/** Answers GETs from the session's log. */
export class GetHandler {
  readonly #context: NodeContext;
  /** Of the streams that run here and were resumed. */
  readonly #statuses = new WeakMap<LocalSession, Map<string, RequestStatus>>();

  constructor(context: NodeContext) {
    this.#context = context;
  }

  async handle(local: LocalSession, get: StandaloneGet): Promise<Response> {
    this.#context.bounds.checkStreams(local.session.principal);
    // An empty header is none: that is what a client sends which has seen no id yet.
    const cursor = get.request.headers.get('last-event-id') || undefined;
    if (cursor === undefined) return local.standalone.open(get, undefined);
    const standalone = parseStandaloneCursor(local.session, cursor);
    if (standalone !== undefined) return local.standalone.open(get, standalone);
    const streamId = local.session.events.streamOf(cursor);
    const stream = streamId === undefined ? undefined : parseRequestStream(streamId);
    // Other streams of the log are not the client's.
    if (stream === undefined) throw new SessionError('INVALID_CURSOR', 'Cursor is of no stream for the client');
    return this.#resumeRequest(local, get, { cursor, stream });
  }

  async #resumeRequest(
    local: LocalSession,
    { request, revision, expiresAt }: StandaloneGet,
    { cursor, stream }: { readonly cursor: string; readonly stream: RequestStream },
  ): Promise<Response> {
    const { streamId, requestCount } = stream;
    await verifyCursor(local.session, cursor, streamId);
    // Asked before the log is read: what ends in between has stored its answer by then.
    const running = local.isRunning(streamId);
    const status = this.#statusOf(local, stream, running);
    await status.read(local.session);
    const settled = status.settledAt(cursor);
    // The answer that tells an SSE client not to come back (HTML standard, section 9.2.3): SDK v1 otherwise does, for ever, after an error.
    if (settled.size >= requestCount) return emptyOf(204);
    const opening = openingFrames(cursor, revision, this.#context.retryIntervalMs);
    const { readSeq: openedSeq } = status;
    const settlement = new Settlement(requestCount, settled);
    const connection = { streamId, opening, after: cursor, settlement, openedSeq, request, expiresAt };
    const { response, over } = local.connections.open(connection);
    if (!running && status.unsettled?.length !== 0) void this.#settleWhenDead(local, stream, status, over);
    return response;
  }

  /** A client that polls for a long request does not make us read all of its stream each time. */
  #statusOf(local: LocalSession, stream: RequestStream, running: boolean): RequestStatus {
    const known = this.#statuses.get(local) ?? new Map<string, RequestStatus>();
    this.#statuses.set(local, known);
    for (const streamId of known.keys()) if (!local.isRunning(streamId)) known.delete(streamId);
    const status = known.get(stream.streamId) ?? new RequestStatus(stream);
    if (running) known.set(stream.streamId, status);
    return status;
  }

  /** Waits, while the client does, until whoever runs the requests has answered them or is dead; then answers them with an error. */
  async #settleWhenDead(
    local: LocalSession,
    stream: RequestStream,
    status: RequestStatus,
    over: AbortSignal,
  ): Promise<void> {
    try {
      // What ran here and does not run any more is not going to be answered: its answer could not be stored.
      while (stream.nodeId !== this.#context.nodeId) {
        const ms = (await this.#context.lease.runsUntil(stream.nodeId, status.openedAt)) - Date.now();
        if (ms <= 0) break;
        await pause(ms, undefined, { signal: over, ref: false });
      }
      await this.#settle(local, stream, status);
    } catch (error) {
      if (!over.aborted) this.#context.onError(error);
    }
  }

  async #settle({ session }: LocalSession, { streamId }: RequestStream, status: RequestStatus): Promise<void> {
    await status.read(session);
    // Where the requests' ids were trimmed nobody can be answered by name; the stream has to end all the same.
    const answers =
      status.unsettled?.map((id) => errorResponse(id, INTERNAL_ERROR, INTERRUPTED)) ??
      Array.from({ length: status.left }, (_, i) => endedMarker(`${streamId} ${i}`));
    for (const answer of answers) await session.events.append(streamId, answer);
  }
}
