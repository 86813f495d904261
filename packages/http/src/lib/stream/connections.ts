import { SessionError } from '@mcp-session/core';
import { isExpired, tokenLifetime, whenOver } from '@mcp-session/core/transport';
import { setTimeout as pause } from 'node:timers/promises';
import { sessionMoves } from '../protocol/http-errors.ts';
import type { JsonRpcResponse } from '../protocol/json-rpc.ts';
import type { AnySession } from '../store/session-handle.ts';
import { follow, type FollowOptions } from './follow.ts';
import { JsonConnection } from './json-connection.ts';
import { lifetimeOf } from './lifetime.ts';
import type { ConnectionsContext, ConnectionsEvents, OpenedConnection, OpenOptions } from './open-options.ts';
import { type ComeBack, lastFrame } from './retry.ts';
import { type ClientConnection, type OutgoingEvent, SSE_HEADERS, SseConnection, type SseOptions } from './sse.ts';
import { STANDALONE_STREAM } from './stream-ids.ts';
import { isUnacknowledged } from './sockets.ts';
import { StreamReader } from './stream-reader.ts';

/**
 * How long clients may take to receive stored responses before their connections are closed, in
 * milliseconds.
 */
const FLUSH_MS = 500;

/**
 * How long a client may take to close the connection that it has left, or to acknowledge a comment,
 * in milliseconds.
 */
const CHALLENGE_MS = 500;
/** How long a client may take nothing if no comments are sent, in milliseconds. */
const DEFAULT_STALLED_MS = 15_000;

/** The connections that the client of a session has open on this node. */
export class Connections {
  readonly #session: AnySession;
  readonly #context: ConnectionsContext;
  readonly #events: ConnectionsEvents;
  readonly #open = new Map<string, ClientConnection>();
  readonly #requests = new WeakMap<ClientConnection, Request>();
  readonly #broken = new WeakSet<ClientConnection>();
  #sealed = false;

  constructor(session: AnySession, context: ConnectionsContext, events: ConnectionsEvents) {
    this.#session = session;
    this.#context = context;
    this.#events = events;
  }

  get size(): number {
    return this.#open.size;
  }

  has(streamId: string): boolean {
    return this.#open.has(streamId);
  }

  /** From now on, no connection can be opened: the session is being closed on this node. */
  seal(): void {
    this.#sealed = true;
  }

  /**
   * Makes a reader for a connection that is about to be opened. Close it if the connection is not
   * opened.
   */
  reader(streamId: string, after: string | undefined): StreamReader {
    const { health, onError } = this.#context;
    return new StreamReader(this.#session, { streamId, after, health, onError });
  }

  /**
   * Opens a connection, which replaces the one in the same place.
   *
   * @throws HttpError 503 after {@link seal}. For a GET, 429 or 503 if too many streams are open.
   */
  open(options: OpenOptions): OpenedConnection {
    const { connection, over } = this.#connect(options, (parts) => new SseConnection(parts));
    return { response: new Response(connection.body, { headers: SSE_HEADERS }), over };
  }

  /**
   * Opens a connection that gets all responses of a stream at once. Otherwise like {@link open}.
   *
   * @returns The responses when all requests are settled, or those that are there when the
   * connection is closed.
   */
  collect(options: Omit<OpenOptions, 'opening'>): Promise<readonly JsonRpcResponse[]> {
    return this.#connect({ ...options, opening: '' }, (parts) => new JsonConnection(parts)).connection.responses;
  }

  #connect<C extends ClientConnection>(
    options: OpenOptions,
    make: (parts: SseOptions) => C,
  ): { readonly connection: C; readonly over: AbortSignal } {
    if (this.#sealed) throw sessionMoves();
    const { streamId, place = streamId, reader, request, onSent, onIdle } = options;
    const { health, keepAliveMs, journal } = this.#context;
    const kind = streamId === STANDALONE_STREAM ? 'standalone' : 'request';
    // The stream of a POST belongs to its requests, which count by themselves.
    const uncount = request.method === 'GET' ? this.#context.bounds.openStream(this.#session.principal) : undefined;
    const openedAt = performance.now();
    const openedTime = Date.now();
    this.#open.get(place)?.close();
    const over = new AbortController();
    const onAbort = (): void => connection.close();
    const end = (): void => connection.close(this.#lastFrame('soon'));
    const { expiresAt, staysOpen = false } = options;
    const lifetimes = staysOpen ? [] : [tokenLifetime(expiresAt), this.#lifetimeOf(request)];
    const cancels = lifetimes.map((leftMs) => whenOver(() => health.stayMs(leftMs()), end));
    const connection: C = make({
      opening: options.opening,
      events: reader === undefined ? undefined : this.#follow(reader, options),
      keepAliveMs,
      settlement: options.settlement,
      onSent: ({ id, storedAt }) => {
        if (id !== undefined) onSent?.(id);
        // Only what was stored while the connection was open: an earlier message waited for its
        // client, not for this process. Those of the same millisecond have no `storedAt`.
        if (storedAt !== undefined && storedAt >= openedTime) journal.delivered(this.#session, kind, storedAt);
      },
      onIdle: () => {
        onIdle?.();
        if (!isExpired(expiresAt)) this.#events.onIdle();
      },
      onClosed: (error) => {
        over.abort();
        reader?.close();
        uncount?.();
        journal.streamClosed(this.#session, kind, openedAt);
        for (const cancel of cancels) cancel();
        request.signal.removeEventListener('abort', onAbort);
        if (this.#open.get(place) === connection) this.#open.delete(place);
        this.#events.onClosed(streamId);
        options.onClosed?.(this.#broken.has(connection));
        this.#report(error);
      },
    });
    journal.streamOpened(this.#session, kind, options.resumedBehind);
    this.#open.set(place, connection);
    this.#requests.set(connection, request);
    if (request.signal.aborted) connection.close();
    else request.signal.addEventListener('abort', onAbort, { once: true });
    return { connection, over: over.signal };
  }

  /**
   * Sends a message that could not be stored on the connection of its stream, see
   * `SseConnection.push`.
   */
  push(streamId: string, message: unknown, always = false): boolean {
    return this.#open.get(streamId)?.push(message, always) ?? false;
  }

  /**
   * Finds out whether the client of a stream's connection is still there, and breaks the connection
   * off if its socket takes nothing. A client that is asleep, or behind a network that is gone,
   * does not close its connection.
   *
   * @returns Whether the connection is closed now.
   */
  async challenge(streamId: string): Promise<boolean> {
    const connection = this.#open.get(streamId);
    if (!(connection instanceof SseConnection)) return connection === undefined;
    connection.probe();
    await Promise.race([connection.over, pause(CHALLENGE_MS, undefined, { ref: false })]);
    if (this.#open.get(streamId) !== connection) return true;
    const request = this.#requests.get(connection);
    const isStalled = connection.stalledMs > (this.#context.keepAliveMs || DEFAULT_STALLED_MS);
    if (!isStalled && !(request !== undefined && (await isUnacknowledged(request)))) return false;
    this.#broken.add(connection);
    connection.break();
    return true;
  }

  /** Closes the connection of a stream, if there is one. The client resumes it for the rest. */
  close(streamId: string, frame: string = this.#lastFrame('soon')): void {
    this.#open.get(streamId)?.close(frame);
  }

  /** @param comeBack When clients reconnect. */
  closeAll(comeBack: ComeBack): void {
    for (const name of this.#open.keys()) this.close(name, this.#lastFrame(comeBack));
  }

  /** Waits a moment for stored responses to reach their clients. */
  async flush(): Promise<void> {
    const answered = [...this.#open].filter(([name]) => name !== STANDALONE_STREAM);
    await Promise.race([
      Promise.all(answered.map(([, connection]) => connection.over)),
      pause(FLUSH_MS, undefined, { ref: false }),
    ]);
  }

  /** @returns The connection's last frame. */
  async *#follow(reader: StreamReader, options: FollowOptions): AsyncGenerator<OutgoingEvent, string, undefined> {
    const ended = yield* follow(reader, options);
    if (ended === 'session') this.#events.onSessionEnded();
    return ended === 'connection' ? this.#lastFrame('soon') : '';
  }

  /** How long a request's connection may still stay open. */
  #lifetimeOf(request: Request): () => number {
    const { maxStreamMs } = this.#context;
    const over = performance.now() + Math.min(maxStreamMs, lifetimeOf(request) ?? maxStreamMs);
    return () => over - performance.now();
  }

  #lastFrame(comeBack: ComeBack): string {
    return lastFrame(comeBack, this.#context);
  }

  #report(error: unknown): void {
    // A client that reads slower than the retention trims learns it from its next cursor.
    if (error === undefined || (error instanceof SessionError && error.code === 'EVENTS_TRIMMED')) return;
    this.#context.onError(error);
  }
}
