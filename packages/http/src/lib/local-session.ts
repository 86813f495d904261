import { SessionError, type StateSchemas } from '@mcp-session/core';
import { setTimeout as pause } from 'node:timers/promises';
import type { Bounds } from './bounds.ts';
import { DeliveryMark } from './delivery-mark.ts';
import { NO_SETTINGS, type Settings } from './facts.ts';
import { sessionMoves } from './http-errors.ts';
import type { NodeLease } from './lease.ts';
import { type Claim, type Delivery, dismissListener, releaseListener } from './listener.ts';
import { Mail } from './mail.ts';
import { type Opened, type OpenOptions, SSE_HEADERS } from './open-connection.ts';
import type { ServerLike } from './sdk.ts';
import { type OutgoingEvent, retryFrame, SseConnection } from './sse.ts';
import { STANDALONE_STREAM } from './standalone.ts';
import type { StoreHealth } from './store-health.ts';
import { type AnySession, follow, type FollowOptions } from './streams.ts';
import { whenExpired } from './token-expiry.ts';
import type { SessionTransport } from './transport.ts';

/** A node's sign of life, see `NodeLease`. */
export type Lease = Pick<NodeLease<StateSchemas>, 'begin' | 'runsUntil'>;

/** What all sessions that a node holds have in common. */
export interface LocalSettings {
  readonly nodeId: string;
  readonly lease: Lease;
  readonly health: StoreHealth;
  readonly bounds: Bounds;
  readonly keepAliveMs: number;
  readonly retryIntervalMs: number;
  readonly onError: (error: unknown) => void;
}

/** How long clients get to take their last answers before their connections are closed, in milliseconds. */
const FLUSH_MS = 500;
/** When a connection that is kept open while the store fails is read for again, in milliseconds. */
const READ_AGAIN_MS = 500;

/** A session that this node holds: its server, its transport and the connections that its client has open here. */
export class LocalSession<Server extends ServerLike> {
  readonly session: AnySession;
  readonly server: Server;
  readonly transport: SessionTransport;
  readonly mail: Mail;
  /** What the server was told of its client's settings. */
  settings: Settings = NO_SETTINGS;
  /** Resolves when it has been told all that it was to be told; `undefined`: it has. */
  told: Promise<void> | undefined;
  readonly #settings: LocalSettings;
  readonly #connections = new Map<string, SseConnection>();
  readonly #releases = new Set<Promise<void>>();
  #turn: Promise<unknown> = Promise.resolve();
  #holds = 0;
  #closing: Promise<void> | undefined;
  /** When it was last at work, by `performance.now()`. */
  lastUsedAt: number = performance.now();
  /** Called once, when it is closed. */
  onClosed: (() => void) | undefined;

  constructor(session: AnySession, server: Server, transport: SessionTransport, settings: LocalSettings) {
    this.session = session;
    this.server = server;
    this.transport = transport;
    this.#settings = settings;
    transport.onEnd = () => queueMicrotask(() => void this.close());
    this.mail = new Mail({
      ...settings,
      session,
      transport,
      atWork: () => this.#atWork(),
      onEnded: () => void this.close(false),
    });
  }

  get closed(): boolean {
    return this.#closing !== undefined;
  }

  /** Whether it may not be evicted: a request is handled, a handler runs, an answer is awaited, or the client listens. */
  get busy(): boolean {
    return this.#holds > 0 || this.#connections.size > 0 || this.transport.busy;
  }

  /** Keeps it here until the returned function is called. */
  hold(): () => void {
    this.#holds++;
    return () => {
      this.#holds--;
      this.lastUsedAt = performance.now();
    };
  }

  /** Runs work that must not meet other such work of this session: claims to its standalone stream. */
  inTurn<T>(work: () => Promise<T>): Promise<T> {
    const turn = this.#turn.then(work, work);
    this.#turn = turn;
    return turn;
  }

  isOpen(streamId: string): boolean {
    return this.#connections.has(streamId);
  }

  /** Whether a handler of this node may still send on the stream. */
  isRunning(streamId: string): boolean {
    return this.transport.open.isRunning(streamId);
  }

  /** Opens a connection, in the place of one that the stream already has: a message goes to one of them only. */
  open({ streamId, opening, request, claim, expiresAt, unstored = false, ...from }: OpenOptions): Opened {
    if (this.closed) throw sessionMoves();
    const place = from.span === undefined ? streamId : `${streamId} ${from.span.generation}`;
    this.#connections.get(place)?.close();
    const { health, keepAliveMs, retryIntervalMs, onError } = this.#settings;
    const closed = this.#settings.bounds.opened(this.session.principal);
    const abort = new AbortController();
    const mark =
      claim === undefined ? undefined : new DeliveryMark(this.session, claim, from.after, keepAliveMs, onError);
    const done = claim === undefined ? undefined : this.#settings.lease.begin();
    const onAbort = (): void => connection.close();
    const stay = whenExpired(expiresAt, health, () => connection.close(retryFrame(retryIntervalMs)));
    const connection: SseConnection = new SseConnection({
      opening,
      events: unstored
        ? undefined
        : this.#events({ ...from, streamId, signal: abort.signal, ...(claim !== undefined && { claim }) }),
      keepAliveMs,
      settlement: from.settlement,
      onSent: ({ id }) => {
        if (id !== undefined) mark?.written(id);
      },
      onIdle: () => {
        mark?.tick();
        void this.#renew();
      },
      onClosed: (error) => {
        abort.abort();
        closed();
        done?.();
        stay();
        request.signal.removeEventListener('abort', onAbort);
        if (this.#connections.get(place) === connection) this.#connections.delete(place);
        this.lastUsedAt = performance.now();
        if (claim !== undefined) this.#release(claim, mark?.delivery);
        if (error !== undefined && !(error instanceof SessionError && error.code === 'EVENTS_TRIMMED')) onError(error);
      },
    });
    this.#connections.set(place, connection);
    if (request.signal.aborted) connection.close();
    else request.signal.addEventListener('abort', onAbort, { once: true });
    return { response: new Response(connection.body, { headers: SSE_HEADERS }), over: abort.signal };
  }

  /** Sends what could not be stored on a stream's connection, see `Connected`. */
  push(streamId: string, message: unknown, always = false): boolean {
    return this.#connections.get(streamId)?.push(message, always) ?? false;
  }

  /** Closes a stream's connection, if it has one, so that the client comes back for the rest. */
  closeConnection(streamId: string, lastFrame: string = retryFrame(this.#settings.retryIntervalMs)): void {
    this.#connections.get(streamId)?.close(lastFrame);
  }

  /** Closes the connection of the standalone stream likewise, on whichever node it is: one, since its client comes back to any node at once. */
  closeStandalone(): void {
    if (this.isOpen(STANDALONE_STREAM)) this.closeConnection(STANDALONE_STREAM);
    else dismissListener(this.session, this.#settings.nodeId).catch((error: unknown) => this.#report(error));
  }

  /**
   * Lets go of the session: closes its connections and its server, whose handlers are aborted. The session itself goes on.
   *
   * @param comeBack Whether clients are told when to come back.
   * @param lastWords Is awaited after the handlers were aborted and before the connections are closed.
   */
  close(comeBack = true, lastWords?: () => Promise<void>): Promise<void> {
    this.#closing ??= this.#close(comeBack, lastWords);
    return this.#closing;
  }

  async #close(comeBack: boolean, lastWords: (() => Promise<void>) | undefined): Promise<void> {
    this.onClosed?.();
    try {
      await this.server.close();
    } catch (error) {
      this.#settings.onError(error);
    }
    await this.transport.close();
    if (lastWords !== undefined) {
      await lastWords();
      await this.#flush();
    }
    for (const streamId of this.#connections.keys()) this.closeConnection(streamId, comeBack ? undefined : '');
    await Promise.all(this.#releases);
  }

  /** Waits a moment for the answers that are stored to reach the clients that wait for them. */
  async #flush(): Promise<void> {
    const answered = [...this.#connections].filter(([streamId]) => streamId !== STANDALONE_STREAM);
    await Promise.race([
      Promise.all(answered.map(([, connection]) => connection.over)),
      pause(FLUSH_MS, undefined, { ref: false }),
    ]);
  }

  /** @returns The connection's last frame. */
  async *#events(options: FollowOptions): AsyncGenerator<OutgoingEvent, string, undefined> {
    const { health, onError, retryIntervalMs } = this.#settings;
    const readAgain = async (error: unknown): Promise<boolean> => {
      if (!health.canDoWithout(error)) return false;
      onError(error);
      // Cut short where the connection is closed; the tail then ends at once.
      await pause(READ_AGAIN_MS, undefined, { signal: options.signal, ref: false }).catch(() => undefined);
      return true;
    };
    const ended = yield* follow(this.session, { ...options, readAgain });
    if (ended === 'session') void this.close(false);
    return ended === 'connection' ? retryFrame(retryIntervalMs) : '';
  }

  #atWork(): () => void {
    const done = this.#settings.lease.begin();
    return () => {
      done();
      this.lastUsedAt = performance.now();
    };
  }

  #release(claim: Claim, delivery: Delivery | undefined): void {
    // In turn: who claims it next must know what was delivered.
    const release = this.inTurn(() => releaseListener(this.session, claim, delivery))
      .catch((error: unknown) => this.#report(error))
      .finally(() => this.#releases.delete(release));
    this.#releases.add(release);
  }

  #report(error: unknown): void {
    if (!(error instanceof SessionError && error.code === 'SESSION_NOT_FOUND')) this.#settings.onError(error);
  }

  async #renew(): Promise<void> {
    try {
      await this.session.touch();
    } catch (error) {
      if (error instanceof SessionError && error.code === 'SESSION_NOT_FOUND') await this.close(false);
      else this.#settings.onError(error);
    }
  }
}
