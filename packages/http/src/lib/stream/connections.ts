import { SessionError } from '@mcp-session/core';
import { setTimeout as pause } from 'node:timers/promises';
import { sessionMoves } from '../protocol/http-errors.ts';
import type { JsonRpcResponse } from '../protocol/json-rpc.ts';
import type { StoreHealth } from '../store/health.ts';
import type { AnySession } from '../store/session-handle.ts';
import type { Bounds } from './bounds.ts';
import { follow, type FollowOptions } from './follow.ts';
import { JsonConnection } from './json-connection.ts';
import {
  type ClientConnection,
  type OutgoingEvent,
  retryFrame,
  SSE_HEADERS,
  SseConnection,
  type SseOptions,
} from './sse.ts';
import { STANDALONE_STREAM } from './stream-ids.ts';
import { StreamReader } from './stream-reader.ts';
import { isExpired, whenExpired } from './token-expiry.ts';

/**
 * How long clients may take to receive stored responses before their connections are closed, in
 * milliseconds.
 */
const FLUSH_MS = 500;
/**
 * The delay before a failed read is repeated while requests are served without the store, in
 * milliseconds.
 */
const READ_AGAIN_MS = 500;

/** A connection to open. */
export interface OpenOptions extends FollowOptions {
  readonly streamId: string;
  /**
   * Reads the stream. The connection closes it. `undefined`: the stream is not stored, and its
   * messages are pushed.
   */
  readonly reader: StreamReader | undefined;
  /** The first frames. */
  readonly opening: string;
  /**
   * A new connection replaces the one in the same place. Default: the stream's id, so that each
   * message goes to one connection.
   */
  readonly place?: string;
  /**
   * When the client's token expires, in Unix seconds. The connection ends then, and does not renew
   * the session afterwards. Default: never.
   */
  readonly expiresAt?: number | undefined;
  /** Whether the connection stays open after that: its client could not come back. */
  readonly outlivesToken?: boolean;
  /**
   * The client's request. If it is aborted, the connection is closed; the work behind it continues.
   */
  readonly request: Request;
  /** Is called with the id of each stored event that was written to the connection. */
  readonly onSent?: ((wireId: string) => void) | undefined;
  /** Is called with each keep-alive comment. */
  readonly onIdle?: (() => void) | undefined;
  /** Is called once, when the connection is closed. */
  readonly onClosed?: (() => void) | undefined;
}

export interface OpenedConnection {
  readonly response: Response;
  /** Is aborted when the connection is closed by either side. */
  readonly over: AbortSignal;
}

export interface ConnectionsContext {
  readonly health: StoreHealth;
  readonly bounds: Bounds;
  readonly keepAliveMs: number;
  readonly retryIntervalMs: number;
  readonly onError: (error: unknown) => void;
}

/** What the connections of a session call. */
export interface ConnectionsEvents {
  /** A keep-alive comment is sent on one of them. */
  readonly onIdle: () => void;
  /** One of them is closed. */
  readonly onClosed: (streamId: string) => void;
  /** A reader of the log found that the session has ended or expired. */
  readonly onSessionEnded: () => void;
}

/** The connections that the client of a session has open on this node. */
export class Connections {
  readonly #session: AnySession;
  readonly #context: ConnectionsContext;
  readonly #events: ConnectionsEvents;
  readonly #open = new Map<string, ClientConnection>();
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
    return new StreamReader(this.#session, {
      streamId,
      after,
      beforeRetry: (error, closed) =>
        health.without(error, async () => {
          onError(error);
          await pause(READ_AGAIN_MS, undefined, { signal: closed, ref: false }).catch(() => undefined);
        }),
    });
  }

  /**
   * Opens a connection, which replaces the one in the same place.
   *
   * @throws HttpError 503 after {@link seal}.
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
    const { health, keepAliveMs, retryIntervalMs } = this.#context;
    this.#open.get(place)?.close();
    const over = new AbortController();
    const uncount = this.#context.bounds.opened(this.#session.principal);
    const onAbort = (): void => connection.close();
    const { expiresAt, outlivesToken = false } = options;
    const keep = whenExpired(outlivesToken ? undefined : expiresAt, health, () =>
      connection.close(retryFrame(retryIntervalMs)),
    );
    const connection: C = make({
      opening: options.opening,
      events: reader === undefined ? undefined : this.#follow(reader, options),
      keepAliveMs,
      settlement: options.settlement,
      onSent: ({ id }) => {
        if (id !== undefined) onSent?.(id);
      },
      onIdle: () => {
        onIdle?.();
        if (!isExpired(expiresAt)) this.#events.onIdle();
      },
      onClosed: (error) => {
        over.abort();
        reader?.close();
        uncount();
        keep();
        request.signal.removeEventListener('abort', onAbort);
        if (this.#open.get(place) === connection) this.#open.delete(place);
        this.#events.onClosed(streamId);
        options.onClosed?.();
        this.#report(error);
      },
    });
    this.#open.set(place, connection);
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

  /** Closes the connection of a stream, if there is one. The client resumes it for the rest. */
  close(streamId: string, lastFrame: string = retryFrame(this.#context.retryIntervalMs)): void {
    this.#open.get(streamId)?.close(lastFrame);
  }

  /** @param comeBack Whether to tell clients when to reconnect. */
  closeAll(comeBack: boolean): void {
    for (const name of this.#open.keys()) this.close(name, comeBack ? undefined : '');
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
    return ended === 'connection' ? retryFrame(this.#context.retryIntervalMs) : '';
  }

  #report(error: unknown): void {
    // A client that reads slower than the retention trims learns it from its next cursor.
    if (error === undefined || (error instanceof SessionError && error.code === 'EVENTS_TRIMMED')) return;
    this.#context.onError(error);
  }
}
