import { EventsTrimmedError, SessionError } from '@mcp-session/core';
import { setTimeout as pause } from 'node:timers/promises';
import { sessionMoves } from '../protocol/http-errors.ts';
import { FIRST_POLLING_REVISION } from '../protocol/revisions.ts';
import type { AnySession } from '../store/session-handle.ts';
import type { StandaloneRecord } from '../store/session-record.ts';
import type { Connections } from '../stream/connections.ts';
import { challengedBy, takenBy } from '../stream/markers.ts';
import { openingFrames } from '../stream/sse.ts';
import { STANDALONE_STREAM } from '../stream/stream-ids.ts';
import type { StreamReader } from '../stream/stream-reader.ts';
import { ClaimWait } from './claim-wait.ts';
import { type StandaloneCursor, wireId } from './cursor.ts';
import { DeliveryTracker } from './delivery-tracker.ts';
import type { Span } from './generations.ts';
import { lossFrames } from './loss.ts';
import {
  challengeOwner,
  type Claim,
  claimOwnership,
  type Delivery,
  evictOwner,
  type Owner,
  releaseOwnership,
  streamAlreadyOpen,
} from './ownership.ts';
import { openedBy, type StandaloneContext, type StreamGet } from './stream-get.ts';

/** A reader that can be followed. */
interface Checked {
  /** Stands at the cursor and has checked it. */
  readonly reader: StreamReader;
  /** Whether events after the cursor were trimmed: the reader stands at the oldest one left. */
  readonly isTrimmed: boolean;
}

/** Where the client of a GET is. */
type Position = Checked & { readonly cursor: StandaloneCursor };

/** Where a connection starts. */
type Start = Checked & { readonly after: string | undefined };

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
   * @throws SessionError `INVALID_CURSOR`
   */
  async open(get: StreamGet, cursor: StandaloneCursor | undefined): Promise<Response> {
    const done = this.#context.bounds.waits(this.#session.id);
    if (done === undefined) throw streamAlreadyOpen();
    let checked: Checked | undefined;
    try {
      // A cursor that cannot be followed must not take the stream from the connection that has it.
      checked = cursor && (await this.#check(cursor.id));
      return await this.#waitToOpen(get, cursor && checked && { ...checked, cursor });
    } catch (error) {
      checked?.reader.close();
      throw error;
    } finally {
      done();
    }
  }

  /** Closes the stream's connection, on any node. The client reconnects for the rest. */
  evict(): void {
    if (this.#connections.has(STANDALONE_STREAM)) this.#connections.close(STANDALONE_STREAM);
    else evictOwner(this.#session, this.#context).catch((error: unknown) => this.#report(error));
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
      if (opened === 'here') await this.#challenge();
      else {
        const ms = wait.lookAgainAfter(opened);
        if (wait.challenges()) await challengeOwner(this.#session, opened, this.#context);
        await pause(ms, undefined, { signal, ref: false }).catch(() => undefined);
      }
      if (signal.aborted) throw streamAlreadyOpen();
      if (this.#closed) throw sessionMoves();
    }
  }

  /** @throws HttpError 409 if the client of this node's connection is still there. */
  async #challenge(): Promise<void> {
    if (!(await this.#connections.challenge(STANDALONE_STREAM))) throw streamAlreadyOpen();
    await this.released();
  }

  async #tryOpen(
    get: StreamGet,
    record: StandaloneRecord,
    position: Position | undefined,
  ): Promise<Response | Owner | 'here'> {
    const isOpen = (): boolean => this.#connections.has(STANDALONE_STREAM);
    const claimed = await claimOwnership(this.#session, { record, cursor: position?.cursor, isOpen }, this.#context);
    if ('ownedBy' in claimed) return claimed.ownedBy;
    if ('span' in claimed) return this.#openSpan(get, claimed.span, position);
    const { claim, after } = claimed;
    const done = this.#context.lease.begin();
    try {
      if (position !== undefined && after === position.cursor.id) {
        return this.#openOwned(get, claim, { ...position, after }, done);
      }
      const start = { ...(await this.#check(after)), after };
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
    const { reader, isTrimmed } =
      after === position?.cursor.id ? position : { reader: this.#reader(after), isTrimmed: false };
    const { response } = this.#connections.open({
      streamId: STANDALONE_STREAM,
      place: `${STANDALONE_STREAM} ${generation}`,
      reader,
      opening:
        openingFrames(wireId(after, generation), get.revision, this.#context) + lossFrames(this.#session, isTrimmed),
      until,
      toWireId: (id) => wireId(id, generation),
      ...openedBy(get),
    });
    return response;
  }

  #openOwned(get: StreamGet, claim: Claim, { after, reader, isTrimmed }: Start, done: () => void): Response {
    const { keepAliveMs, health, onError } = this.#context;
    const { epoch, generation } = claim;
    const tracker = new DeliveryTracker(this.#session, {
      claim,
      after,
      keepAliveMs,
      // Earlier clients do not see the first cursor, which has no data.
      hasFirstCursor: get.revision >= FIRST_POLLING_REVISION,
      health,
      onError,
    });
    const cursor = after === undefined ? undefined : wireId(after, generation);
    const { response } = this.#connections.open({
      streamId: STANDALONE_STREAM,
      reader,
      opening: openingFrames(cursor, get.revision, this.#context) + lossFrames(this.#session, isTrimmed),
      endsConnection: (marker) => {
        if (challengedBy(marker) === epoch) void this.#connections.challenge(STANDALONE_STREAM);
        return takenBy(marker) > epoch;
      },
      toWireId: (id) => wireId(id, generation),
      ...openedBy(get),
      onSent: (id) => tracker.written(id),
      onIdle: () => tracker.storeIfDue(),
      onClosed: (isBroken) => {
        done();
        // Nobody knows when its client stopped to receive.
        this.#release(claim, isBroken ? tracker.nothingDelivered : tracker.delivery);
      },
    });
    return response;
  }

  /**
   * Opens a reader. If events after the cursor were trimmed, the client gets the remaining ones,
   * and the error is reported.
   */
  async #check(after: string | undefined): Promise<Checked> {
    const reader = this.#reader(after);
    try {
      await reader.peek();
      return { reader, isTrimmed: false };
    } catch (error) {
      reader.close();
      if (!(error instanceof EventsTrimmedError)) throw error;
      this.#context.onError(error);
      return { reader: this.#reader(undefined), isTrimmed: true };
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
