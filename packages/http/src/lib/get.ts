import { type ProtocolFacts, SessionError } from '@mcp-session/core';
import { setTimeout as pause } from 'node:timers/promises';
import { sessionMoves } from './http-errors.ts';
import { emptyOf } from './known-bodies.ts';
import { errorResponse, INTERNAL_ERROR } from './json-rpc.ts';
import type { LocalSession, LocalSettings } from './local-session.ts';
import { claimListener, type HeldBy, Patience, releaseListener, secondListener } from './listener.ts';
import { FIRST_POLLING_REVISION } from './post.ts';
import { StreamProgress } from './progress.ts';
import type { ServerLike } from './sdk.ts';
import { Settlement } from './settlement.ts';
import { cursorFrame, retryFrame } from './sse.ts';
import { parseStandaloneCursor, STANDALONE_STREAM, type StandaloneCursor, wireId } from './standalone.ts';
import { endedMark, parseRequestStream, type RequestStream, verifyCursor } from './streams.ts';

const INTERRUPTED = 'Request was interrupted: the server that handled it has stopped';

/** A GET of a session. */
export interface GetRequest {
  readonly request: Request;
  /** When its token expires, in Unix seconds; `undefined`: never. */
  readonly expiresAt: number | undefined;
  /** The protocol revision that governs it. */
  readonly revision: string;
  /** The session's facts as they are now, and reads them again. */
  readonly facts: ProtocolFacts;
  readonly readFacts: () => Promise<ProtocolFacts>;
}

/** Answers GETs from the session's log. */
export class GetHandler<Server extends ServerLike> {
  readonly #settings: LocalSettings;
  /** Of the streams that run here and were resumed. */
  readonly #progress = new WeakMap<LocalSession<Server>, Map<string, StreamProgress>>();

  constructor(settings: LocalSettings) {
    this.#settings = settings;
  }

  async handle(local: LocalSession<Server>, get: GetRequest): Promise<Response> {
    const { request } = get;
    this.#settings.bounds.checkStreams(local.session.principal);
    // An empty header is none: that is what a client sends which has seen no id yet.
    const cursor = request.headers.get('last-event-id') || undefined;
    if (cursor === undefined) return this.#listen(local, get, undefined);
    const standalone = parseStandaloneCursor(local.session, cursor);
    if (standalone !== undefined) {
      await verifyCursor(local.session, standalone.id, STANDALONE_STREAM);
      return this.#listen(local, get, standalone);
    }
    const streamId = local.session.events.streamOf(cursor);
    const stream = streamId === undefined ? undefined : parseRequestStream(streamId);
    // Other streams of the log are not the client's.
    if (stream === undefined) throw new SessionError('INVALID_CURSOR', 'Cursor is of no stream for the client');
    return this.#resumeRequest(local, get, { cursor, stream });
  }

  async #listen(local: LocalSession<Server>, get: GetRequest, cursor: StandaloneCursor | undefined): Promise<Response> {
    const done = this.#settings.bounds.waits(local.session.id);
    if (done === undefined) throw secondListener();
    try {
      return await this.#waitToListen(local, get, cursor);
    } finally {
      done();
    }
  }

  async #waitToListen(
    local: LocalSession<Server>,
    get: GetRequest,
    cursor: StandaloneCursor | undefined,
  ): Promise<Response> {
    const patience = new Patience();
    const { signal } = get.request;
    for (let { facts } = get; ; facts = await get.readFacts()) {
      const opened = await local.inTurn(() => this.#tryListen(local, get, facts, cursor));
      if (opened instanceof Response) return opened;
      const ms = patience.lookAgainAfter(opened);
      await pause(ms, undefined, { signal, ref: false }).catch(() => undefined);
      if (signal.aborted) throw secondListener();
      if (local.closed) throw sessionMoves();
    }
  }

  async #tryListen(
    local: LocalSession<Server>,
    { request, revision, expiresAt }: GetRequest,
    facts: ProtocolFacts,
    cursor: StandaloneCursor | undefined,
  ): Promise<Response | HeldBy> {
    const claimant = { facts, cursor, isOpen: () => local.isOpen(STANDALONE_STREAM) };
    const claimed = await claimListener(local.session, claimant, this.#settings);
    if ('heldBy' in claimed) return claimed.heldBy;
    const connection = { streamId: STANDALONE_STREAM, request, expiresAt };
    if ('span' in claimed) {
      const { span } = claimed;
      const opening = this.#opening(wireId(span.after, span.generation), revision);
      return local.open({ ...connection, opening, after: span.after, span }).response;
    }
    const { claim } = claimed;
    try {
      const after = claimed.after === cursor?.id ? cursor?.id : await this.#listenAfter(local, claimed.after);
      const opening = this.#opening(after === undefined ? undefined : wireId(after, claim.generation), revision);
      return local.open({ ...connection, opening, after, claim }).response;
    } catch (error) {
      await releaseListener(local.session, claim);
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
    { request, revision, expiresAt }: GetRequest,
    { cursor, stream }: { readonly cursor: string; readonly stream: RequestStream },
  ): Promise<Response> {
    const { streamId, requests } = stream;
    await verifyCursor(local.session, cursor, streamId);
    // Asked before the log is read: what ends in between has stored its answer by then.
    const running = local.isRunning(streamId);
    const progress = this.#progressOf(local, stream, running);
    await progress.read(local.session);
    const settled = progress.settledAt(cursor);
    // The answer that tells an SSE client not to come back (HTML standard, section 9.2.3): SDK v1 otherwise does, for ever, after an error.
    if (settled.size >= requests) return emptyOf(204);
    const opening = this.#opening(cursor, revision);
    const { readSeq: openedSeq } = progress;
    const settlement = new Settlement(requests, settled);
    const connection = { streamId, opening, after: cursor, settlement, openedSeq, request, expiresAt };
    const { response, over } = local.open(connection);
    if (!running && progress.unsettled?.length !== 0) void this.#settleWhenDead(local, stream, progress, over);
    return response;
  }

  /** A client that polls for a long request does not make us read all of its stream each time. */
  #progressOf(local: LocalSession<Server>, stream: RequestStream, running: boolean): StreamProgress {
    const known = this.#progress.get(local) ?? new Map<string, StreamProgress>();
    this.#progress.set(local, known);
    for (const streamId of known.keys()) if (!local.isRunning(streamId)) known.delete(streamId);
    const progress = known.get(stream.streamId) ?? new StreamProgress(stream);
    if (running) known.set(stream.streamId, progress);
    return progress;
  }

  /** Waits, while the client does, until whoever runs the requests has answered them or is dead; then answers them with an error. */
  async #settleWhenDead(
    local: LocalSession<Server>,
    stream: RequestStream,
    progress: StreamProgress,
    over: AbortSignal,
  ): Promise<void> {
    try {
      // What ran here and does not run any more is not going to be answered: its answer could not be stored.
      while (stream.nodeId !== this.#settings.nodeId) {
        const ms = (await this.#settings.lease.runsUntil(stream.nodeId, progress.openedAt)) - Date.now();
        if (ms <= 0) break;
        await pause(ms, undefined, { signal: over, ref: false });
      }
      await this.#settle(local, stream, progress);
    } catch (error) {
      if (!over.aborted) this.#settings.onError(error);
    }
  }

  async #settle(
    { session }: LocalSession<Server>,
    { streamId }: RequestStream,
    progress: StreamProgress,
  ): Promise<void> {
    await progress.read(session);
    // Where the requests' ids were trimmed nobody can be answered by name; the stream has to end all the same.
    const answers =
      progress.unsettled?.map((id) => errorResponse(id, INTERNAL_ERROR, INTERRUPTED)) ??
      Array.from({ length: progress.left }, (_, i) => endedMark(`${streamId} ${i}`));
    for (const answer of answers) await session.events.append(streamId, answer);
  }

  #opening(cursor: string | undefined, revision: string): string {
    const retry = retryFrame(this.#settings.retryIntervalMs);
    return cursor === undefined ? retry : cursorFrame(cursor, revision >= FIRST_POLLING_REVISION) + retry;
  }
}
