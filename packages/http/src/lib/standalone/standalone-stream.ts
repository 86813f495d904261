import { SessionError } from '@mcp-session/core';
import { setTimeout as pause } from 'node:timers/promises';
import type { NodeLease } from '../cluster/lease.ts';
import { sessionMoves } from '../protocol/http-errors.ts';
import type { AnySession } from '../store/session-handle.ts';
import type { StandaloneRecord } from '../store/session-record.ts';
import type { Bounds } from '../stream/bounds.ts';
import type { Connections } from '../stream/connections.ts';
import { takenBy } from '../stream/markers.ts';
import { openingFrames } from '../stream/sse.ts';
import { STANDALONE_STREAM } from '../stream/stream-ids.ts';
import type { StreamReader } from '../stream/stream-reader.ts';
import { type StandaloneCursor, wireId } from './cursor.ts';
import { DeliveryTracker } from './delivery-tracker.ts';
import type { Span } from './generations.ts';
import {
  type Claim,
  claimOwnership,
  ClaimWait,
  type Delivery,
  evictOwner,
  type Owner,
  releaseOwnership,
  streamAlreadyOpen,
} from './ownership.ts';

export interface StandaloneContext {
  readonly nodeId: string;
  readonly lease: Pick<NodeLease, 'begin' | 'runsUntil' | 'untilOver'>;
  readonly bounds: Bounds;
  readonly keepAliveMs: number;
  readonly retryIntervalMs: number;
  readonly onError: (error: unknown) => void;
}

/** A GET for a stream of the session, with what was read to answer it. */
export interface StreamGet {
  readonly request: Request;
  /** When the client's token expires, in Unix seconds; `undefined`: never. */
  readonly expiresAt: number | undefined;
  /** The scopes of the client's token. */
  readonly scopes: readonly string[];
  /** The protocol revision that governs the request. */
  readonly revision: string;
  /** The record of the standalone stream, as it was read for this request. */
  readonly record: StandaloneRecord;
  /** Reads the record again. */
  readonly readRecord: () => Promise<StandaloneRecord>;
  /** Number of the session's newest event when the request came. */
  readonly lastSeq: number;
}

/** Where the client of a GET is. */
interface Position {
  readonly cursor: StandaloneCursor;
  /** Stands at the cursor and has checked it. */
  readonly reader: StreamReader;
}

/** Where a connection starts. */
interface Start {
  readonly after: string | undefined;
  readonly reader: StreamReader;
}

/**
 * The standalone stream of a session, as one node opens it for the session's client.
 *
 * - A client opens the stream with a GET, on any node. At most one connection owns the stream, over
 *   all nodes.
 * - The node with the newest connection **owns** the stream (ownership.ts). Each new owner gets the
 *   next **epoch**, which ends the connections of former owners.
 * - A **generation** is a connection that was opened without a cursor, with all that resume it
 *   (cursor.ts). A client may resume an earlier generation; it gets that generation's rest, a
 *   **span** (generations.ts), on a connection of its own.
 * - What the client is known to have is **delivered** (delivery-tracker.ts). A client without a
 *   cursor starts after it.
 */
export class StandaloneStream {
  readonly #session: AnySession;
  readonly #connections: Connections;
  readonly #context: StandaloneContext;
  readonly #releases = new Set<Promise<void>>();
  /** The last claim or release. They run one at a time. */
  #last: Promise<unknown> = Promise.resolve();
  #closed = false;

  constructor(session: AnySession, connections: Connections, context: StandaloneContext) {
    this.#session = session;
    this.#connections = connections;
    this.#context = context;
  }

  /**
   * Opens a connection, and waits for the stream while another node may still own it.
   *
   * @param cursor Where the client is; `undefined`: it has no cursor.
   * @throws HttpError 409 if another connection owns the stream.
   * @throws SessionError `INVALID_CURSOR`, `EVENTS_TRIMMED`
   */
  async open(get: StreamGet, cursor: StandaloneCursor | undefined): Promise<Response> {
    const done = this.#context.bounds.waits(this.#session.id);
    if (done === undefined) throw streamAlreadyOpen();
    const reader = cursor && this.#reader(cursor.id);
    try {
      // A cursor that cannot be followed must not take the stream from the connection that has it.
      await reader?.peek();
      return await this.#waitToOpen(get, cursor && reader && { cursor, reader });
    } catch (error) {
      reader?.close();
      throw error;
    } finally {
      done();
    }
  }

  /** Closes the stream's connection, on any node. The client reconnects for the rest. */
  evict(): void {
    if (this.#connections.has(STANDALONE_STREAM)) this.#connections.close(STANDALONE_STREAM);
    else evictOwner(this.#session, this.#context.nodeId).catch((error: unknown) => this.#report(error));
  }

  /** Refuses new connections from now on. */
  seal(): void {
    this.#closed = true;
  }

  /** Resolves when the closed connections have released the stream. */
  async released(): Promise<void> {
    await Promise.all(this.#releases);
  }

  async #waitToOpen(get: StreamGet, position: Position | undefined): Promise<Response> {
    const wait = new ClaimWait();
    const { signal } = get.request;
    for (let { record } = get; ; record = await get.readRecord()) {
      const opened = await this.#serialize(() => this.#tryOpen(get, record, position));
      if (opened instanceof Response) return opened;
      const ms = wait.lookAgainAfter(opened);
      await pause(ms, undefined, { signal, ref: false }).catch(() => undefined);
      if (signal.aborted) throw streamAlreadyOpen();
      if (this.#closed) throw sessionMoves();
    }
  }

  async #tryOpen(get: StreamGet, record: StandaloneRecord, position: Position | undefined): Promise<Response | Owner> {
    const isOpen = (): boolean => this.#connections.has(STANDALONE_STREAM);
    const claimed = await claimOwnership(this.#session, { record, cursor: position?.cursor, isOpen }, this.#context);
    if ('ownedBy' in claimed) return claimed.ownedBy;
    if ('span' in claimed) return this.#openSpan(get, claimed.span, position);
    const { claim, after } = claimed;
    const done = this.#context.lease.begin();
    try {
      if (position !== undefined && after === position.cursor.id) {
        return this.#openOwned(get, claim, { after, reader: position.reader }, done);
      }
      const start = await this.#start(after);
      position?.reader.close();
      return this.#openOwned(get, claim, start, done);
    } catch (error) {
      done();
      await releaseOwnership(this.#session, claim);
      throw error;
    }
  }

  /** Sends the rest of an earlier generation, on a connection of its own. */
  #openSpan(get: StreamGet, { generation, after, until }: Span, position: Position | undefined): Response {
    const { request, revision, expiresAt } = get;
    const { response } = this.#connections.open({
      streamId: STANDALONE_STREAM,
      place: `${STANDALONE_STREAM} ${generation}`,
      reader: after === position?.cursor.id ? position.reader : this.#reader(after),
      opening: openingFrames(wireId(after, generation), revision, this.#context.retryIntervalMs),
      until,
      toWireId: (id) => wireId(id, generation),
      request,
      expiresAt,
    });
    return response;
  }

  #openOwned(get: StreamGet, claim: Claim, { after, reader }: Start, done: () => void): Response {
    const { request, revision, expiresAt } = get;
    const { keepAliveMs, retryIntervalMs, onError } = this.#context;
    const { epoch, generation } = claim;
    const tracker = new DeliveryTracker(this.#session, claim, after, keepAliveMs, onError);
    const cursor = after === undefined ? undefined : wireId(after, generation);
    const { response } = this.#connections.open({
      streamId: STANDALONE_STREAM,
      reader,
      opening: openingFrames(cursor, revision, retryIntervalMs),
      endsConnection: (marker) => takenBy(marker) > epoch,
      toWireId: (id) => wireId(id, generation),
      request,
      expiresAt,
      onSent: (id) => tracker.written(id),
      onIdle: () => tracker.storeIfDue(),
      onClosed: () => {
        done();
        this.#release(claim, tracker.delivery);
      },
    });
    return response;
  }

  /**
   * Starts after what counts as delivered. If later events were trimmed, the client gets the
   * remaining ones, and the error is reported.
   */
  async #start(delivered: string | undefined): Promise<Start> {
    const reader = this.#reader(delivered);
    try {
      await reader.peek();
      return { after: delivered, reader };
    } catch (error) {
      reader.close();
      if (!(error instanceof SessionError) || error.code !== 'EVENTS_TRIMMED') throw error;
      this.#context.onError(error);
      return { after: undefined, reader: this.#reader(undefined) };
    }
  }

  #reader(after: string | undefined): StreamReader {
    return this.#connections.reader(STANDALONE_STREAM, after);
  }

  #release(claim: Claim, delivery: Delivery): void {
    // Serialized, so that the next owner sees the delivery position that this one has stored.
    const release = this.#serialize(() => releaseOwnership(this.#session, claim, delivery))
      .catch((error: unknown) => this.#report(error))
      .finally(() => this.#releases.delete(release));
    this.#releases.add(release);
  }

  #serialize<T>(work: () => Promise<T>): Promise<T> {
    const done = this.#last.then(work, work);
    this.#last = done;
    return done;
  }

  #report(error: unknown): void {
    if (!(error instanceof SessionError && error.code === 'SESSION_NOT_FOUND')) this.#context.onError(error);
  }
}
