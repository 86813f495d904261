import { type ProtocolFacts, SessionError } from '@mcp-session/core';
import { setTimeout as pause } from 'node:timers/promises';
import { standaloneCursorOf } from './facts.ts';
import { errorResponse, INTERNAL_ERROR } from './json-rpc.ts';
import type { LocalSession, LocalSettings } from './local-session.ts';
import { claimListener, releaseListener, secondListener } from './listener.ts';
import { FIRST_POLLING_REVISION } from './post.ts';
import type { ServerLike } from './sdk.ts';
import { cursorFrame, retryFrame } from './sse.ts';
import {
  endedMark,
  parseRequestStream,
  readProgress,
  type RequestStream,
  STANDALONE_STREAM,
  verifyCursor,
} from './streams.ts';

const INTERRUPTED = 'Request was interrupted: the server that handled it has stopped';

/** A GET of a session. */
export interface GetRequest {
  readonly request: Request;
  /** The protocol revision that governs it. */
  readonly revision: string;
  /** The session's facts as they are now, and reads them again. */
  readonly facts: ProtocolFacts;
  readonly readFacts: () => Promise<ProtocolFacts>;
}

/** Answers GETs from the session's log. */
export class GetHandler<Server extends ServerLike> {
  readonly #settings: LocalSettings;

  constructor(settings: LocalSettings) {
    this.#settings = settings;
  }

  async handle(local: LocalSession<Server>, get: GetRequest): Promise<Response> {
    const { request, revision } = get;
    // An empty header is none: that is what a client sends which has seen no id yet.
    const cursor = request.headers.get('last-event-id') || undefined;
    if (cursor === undefined) return local.inTurn(() => this.#listen(local, get, undefined));
    const streamId = local.session.events.streamOf(cursor);
    if (streamId === STANDALONE_STREAM) {
      await verifyCursor(local.session, cursor, STANDALONE_STREAM);
      return local.inTurn(() => this.#listen(local, get, cursor));
    }
    const stream = streamId === undefined ? undefined : parseRequestStream(streamId);
    // Other streams of the log are not the client's.
    if (stream === undefined) throw new SessionError('INVALID_CURSOR', 'Cursor is of no stream for the client');
    return this.#resumeRequest(local, request, revision, { cursor, stream });
  }

  async #listen(
    local: LocalSession<Server>,
    { request, revision, facts, readFacts }: GetRequest,
    cursor: string | undefined,
  ): Promise<Response> {
    // With a cursor not 409: whoever has it is the client whose connection this was, and it may be dead without our knowing.
    const takeOver = cursor !== undefined;
    if (!takeOver && local.isOpen(STANDALONE_STREAM)) throw secondListener();
    const options = { facts, readFacts, takeOver, cursor };
    const claimed = await claimListener(local.session, options, this.#settings);
    try {
      const after = cursor ?? (await this.#listenAfter(local, standaloneCursorOf(claimed.facts)));
      const opening = this.#opening(after, revision);
      return local.open({ streamId: STANDALONE_STREAM, opening, after, claim: claimed.claim, request }).response;
    } catch (error) {
      await releaseListener(local.session, claimed.claim);
      throw error;
    }
  }

  /** Where delivery stopped. Where that was trimmed, the operator hears of it and the client gets what is left: it asked for no more. */
  async #listenAfter(local: LocalSession<Server>, cursor: string | undefined): Promise<string | undefined> {
    if (cursor === undefined) return undefined;
    try {
      await verifyCursor(local.session, cursor, STANDALONE_STREAM);
      return cursor;
    } catch (error) {
      if (!(error instanceof SessionError) || error.code !== 'EVENTS_TRIMMED') throw error;
      this.#settings.onError(error);
      return undefined;
    }
  }

  async #resumeRequest(
    local: LocalSession<Server>,
    request: Request,
    revision: string,
    { cursor, stream }: { readonly cursor: string; readonly stream: RequestStream },
  ): Promise<Response> {
    const { streamId, requests } = stream;
    await verifyCursor(local.session, cursor, streamId);
    // Asked before the log is read: what ends in between has stored its answer by then.
    const running = local.isRunning(streamId);
    // A client that polls for a long request does not make us read all of its stream each time.
    const alone = running && requests === 1;
    const progress = alone ? undefined : await readProgress(local.session, streamId, cursor);
    const left = requests - (progress?.settledAtCursor ?? 0);
    // The answer that tells an SSE client not to come back (HTML standard, section 9.2.3): SDK v1 otherwise does, for ever, after an error.
    if (left <= 0) return new Response(null, { status: 204 });
    const { response, over } = local.open({
      streamId,
      opening: this.#opening(cursor, revision),
      after: cursor,
      unsettled: left,
      request,
    });
    if (!running && progress?.unsettled?.length !== 0)
      void this.#settleWhenDead(local, stream, progress?.openedAt, over);
    return response;
  }

  /** Waits, while the client does, until whoever runs the requests has answered them or is dead; then answers them with an error. */
  async #settleWhenDead(
    local: LocalSession<Server>,
    stream: RequestStream,
    openedAt: number | undefined,
    over: AbortSignal,
  ): Promise<void> {
    try {
      // What ran here and does not run any more is not going to be answered: its answer could not be stored.
      while (stream.nodeId !== this.#settings.nodeId) {
        const ms = (await this.#settings.lease.runsUntil(stream.nodeId, openedAt)) - Date.now();
        if (ms <= 0) break;
        await pause(ms, undefined, { signal: over, ref: false });
      }
      await this.#settle(local, stream);
    } catch (error) {
      if (!over.aborted) this.#settings.onError(error);
    }
  }

  async #settle({ session }: LocalSession<Server>, { streamId, requests }: RequestStream): Promise<void> {
    const { settled, unsettled } = await readProgress(session, streamId);
    // Where the requests' ids were trimmed nobody can be answered by name; the stream has to end all the same.
    const answers =
      unsettled?.map((id) => errorResponse(id, INTERNAL_ERROR, INTERRUPTED)) ??
      Array.from({ length: requests - settled }, () => endedMark(streamId));
    for (const answer of answers) await session.events.append(streamId, answer);
  }

  #opening(cursor: string | undefined, revision: string): string {
    const retry = retryFrame(this.#settings.retryIntervalMs);
    return cursor === undefined ? retry : cursorFrame(cursor, revision >= FIRST_POLLING_REVISION) + retry;
  }
}
