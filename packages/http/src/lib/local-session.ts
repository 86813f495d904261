import { SessionError, type StateSchemas } from '@mcp-session/core';
import { setTimeout as pause } from 'node:timers/promises';
import { DeliveryMark } from './delivery-mark.ts';
import type { NodeLease } from './lease.ts';
import type { ServerLike } from './sdk.ts';
import { type OutgoingEvent, retryFrame, SseConnection } from './sse.ts';
import { type AnySession, follow, STANDALONE_STREAM } from './streams.ts';
import type { SessionTransport } from './transport.ts';

/** A node's sign of life, see `NodeLease`. */
export type Lease = Pick<NodeLease<StateSchemas>, 'begin' | 'lapsed' | 'runsUntil'>;

/** What all sessions that a node holds have in common. */
export interface LocalSettings {
  readonly nodeId: string;
  readonly lease: Lease;
  readonly keepAliveMs: number;
  readonly retryIntervalMs: number;
  readonly onError: (error: unknown) => void;
}

/** A connection to open. */
export interface OpenOptions {
  readonly streamId: string;
  readonly opening: string;
  /** Id of the last event that the client has; `undefined`: it gets all that is kept. */
  readonly after: string | undefined;
  /** After how many settled requests the stream ends; `undefined`: never. */
  readonly unsettled?: number;
  /** The client's request: when it is aborted, the connection is closed and nothing else. */
  readonly request: Request;
}

/** A connection that was opened. */
export interface Opened {
  readonly response: Response;
  /** Is aborted when it is closed, by whomever. */
  readonly over: AbortSignal;
}

/** How long a request runs before its session is watched for its end, in milliseconds: most are answered sooner. */
const WATCH_AFTER_MS = 100;
/** How long clients get to take their last answers before their connections are closed, in milliseconds. */
const FLUSH_MS = 500;
/** Settling time of the delivery mark where no comments are sent, in milliseconds. */
const DEFAULT_SETTLE_MS = 15_000;

const SSE_HEADERS = {
  'content-type': 'text/event-stream',
  'cache-control': 'no-cache, no-transform',
  'x-accel-buffering': 'no',
};

/** A session that this node holds: its server, its transport and the connections that its client has open here. */
export class LocalSession<Server extends ServerLike> {
  readonly session: AnySession;
  readonly server: Server;
  readonly transport: SessionTransport;
  readonly mark: DeliveryMark;
  readonly #settings: LocalSettings;
  readonly #connections = new Map<string, SseConnection>();
  #holds = 0;
  #watch: AbortController | undefined;
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
    this.mark = new DeliveryMark(session, settings.keepAliveMs || DEFAULT_SETTLE_MS, settings.onError);
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

  isOpen(streamId: string): boolean {
    return this.#connections.has(streamId);
  }

  /** Whether a handler of this node may still send on the stream. */
  isRunning(streamId: string): boolean {
    return this.transport.openRequests().some((open) => open.streamId === streamId);
  }

  /** Opens a connection, in the place of one that the stream already has: a message goes to one of them only. */
  open({ streamId, opening, after, unsettled, request }: OpenOptions): Opened {
    this.#connections.get(streamId)?.close();
    const standalone = streamId === STANDALONE_STREAM;
    const abort = new AbortController();
    const onAbort = (): void => connection.close();
    const connection: SseConnection = new SseConnection({
      opening,
      events: this.#events(abort.signal, { streamId, after, ...(unsettled !== undefined && { unsettled }) }),
      keepAliveMs: this.#settings.keepAliveMs,
      onDelivered: ({ id }) => {
        if (standalone && id !== undefined) this.mark.written(id);
      },
      onIdle: () => {
        if (standalone) this.mark.tick();
        void this.#renew();
      },
      onClosed: (error) => {
        abort.abort();
        request.signal.removeEventListener('abort', onAbort);
        if (this.#connections.get(streamId) === connection) this.#connections.delete(streamId);
        this.lastUsedAt = performance.now();
        if (error !== undefined && !(error instanceof SessionError && error.code === 'EVENTS_TRIMMED'))
          this.#settings.onError(error);
      },
    });
    this.#connections.set(streamId, connection);
    if (request.signal.aborted) connection.close();
    else request.signal.addEventListener('abort', onAbort, { once: true });
    return { response: new Response(connection.body, { headers: SSE_HEADERS }), over: abort.signal };
  }

  /** Closes a stream's connection, if it has one, so that the client comes back for the rest. */
  closeConnection(streamId: string, lastFrame: string = retryFrame(this.#settings.retryIntervalMs)): void {
    this.#connections.get(streamId)?.close(lastFrame);
  }

  /**
   * Watches for the session's end for as long as requests are answered, so that their handlers are aborted then.
   *
   * @param beganAt When the first of them began, see `NodeLease.begin`.
   */
  watch(beganAt: number): void {
    if (this.#watch === undefined) void this.#watchUntilIdle(beganAt);
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
  }

  /** Waits a moment for the answers that are stored to reach the clients that wait for them. */
  async #flush(): Promise<void> {
    const answered = [...this.#connections].filter(([streamId]) => streamId !== STANDALONE_STREAM);
    await Promise.race([
      Promise.all(answered.map(([, connection]) => connection.over)),
      pause(FLUSH_MS, undefined, { ref: false }),
    ]);
  }

  async *#events(
    signal: AbortSignal,
    options: Omit<Parameters<typeof follow>[1], 'signal'>,
  ): AsyncGenerator<OutgoingEvent, void, undefined> {
    yield* follow(this.session, { ...options, signal });
    // Without an end of its own, a stream ends only with its session.
    if (options.unsettled === undefined && !signal.aborted) void this.close(false);
  }

  async #watchUntilIdle(beganAt: number): Promise<void> {
    const abort = (this.#watch = new AbortController());
    const timer = setTimeout(() => void this.#watchEnd(abort.signal), WATCH_AFTER_MS).unref();
    const rest = this.#settings.lease.begin(beganAt);
    // A request can begin after the last one has ended and before we hear of it, and has seen that it is watched.
    do await this.transport.idle();
    while (this.transport.running);
    rest();
    clearTimeout(timer);
    abort.abort();
    this.#watch = undefined;
    this.lastUsedAt = performance.now();
  }

  async #watchEnd(signal: AbortSignal): Promise<void> {
    try {
      const control = this.session.events.tail({ streamId: `node-${this.#settings.nodeId}`, signal });
      while ((await control.next()).done !== true);
      if (!signal.aborted) await this.close(false);
    } catch (error) {
      this.#settings.onError(error);
    }
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
