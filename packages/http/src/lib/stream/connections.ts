import { SessionError } from '@mcp-session/core';
import { setTimeout as pause } from 'node:timers/promises';
import { sessionMoves } from '../protocol/http-errors.ts';
import type { StoreHealth } from '../store/health.ts';
import type { AnySession } from '../store/session-handle.ts';
import type { Bounds } from './bounds.ts';
import { follow, type FollowOptions } from './follow.ts';
import { type OutgoingEvent, retryFrame, SSE_HEADERS, SseConnection } from './sse.ts';
import { STANDALONE_STREAM } from './stream-ids.ts';
import { whenExpired } from './token-expiry.ts';

/** How long clients get to take their last answers before their connections are closed, in milliseconds. */
const FLUSH_MS = 500;
/** When a connection that is kept open while the store fails is read for again, in milliseconds. */
const READ_AGAIN_MS = 500;

/** A connection to open. */
export interface OpenOptions extends Omit<FollowOptions, 'signal' | 'readAgain'> {
  /** Frames to begin with. */
  readonly opening: string;
  /** A new connection takes the place of the one with the same name. Default: the stream's id, since a message goes to one connection of a stream only. */
  readonly place?: string;
  /** Whether it is for a stream that is not in the log: what it sends is pushed. Default: `false`. */
  readonly unstored?: boolean;
  /** When the client's token expires, in Unix seconds: it is to come back with a new one. Default: never. */
  readonly expiresAt?: number | undefined;
  /** The client's request: when it is aborted, the connection is closed and nothing else. */
  readonly request: Request;
  /** Is called with the id of each stored event that was written to it. */
  readonly onSent?: ((wireId: string) => void) | undefined;
  /** Is called with each keep-alive comment. */
  readonly onIdle?: (() => void) | undefined;
  /** Is called once, when it is closed. */
  readonly onClosed?: (() => void) | undefined;
}

/** A connection that was opened. */
export interface OpenedConnection {
  readonly response: Response;
  /** Is aborted when it is closed, by whomever. */
  readonly over: AbortSignal;
}

export interface ConnectionsContext {
  readonly health: StoreHealth;
  readonly bounds: Bounds;
  readonly keepAliveMs: number;
  readonly retryIntervalMs: number;
  readonly onError: (error: unknown) => void;
}

/** Hears what happens on the connections of a session. */
export interface ConnectionsEvents {
  /** A keep-alive comment is sent on one of them. */
  readonly onIdle: () => void;
  /** One of them is closed. */
  readonly onClosed: () => void;
  /** A reader of the log found that the session has ended or expired. */
  readonly onSessionEnded: () => void;
}

/** The connections that the client of a session has open on this node. */
export class Connections {
  readonly #session: AnySession;
  readonly #context: ConnectionsContext;
  readonly #events: ConnectionsEvents;
  readonly #open = new Map<string, SseConnection>();
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

  /** Opens a connection. It replaces the one in the same place. @throws HttpError 503 after {@link seal}. */
  open({ place, opening, request, expiresAt, unstored = false, ...options }: OpenOptions): OpenedConnection {
    if (this.#sealed) throw sessionMoves();
    const { health, bounds, keepAliveMs, retryIntervalMs, onError } = this.#context;
    const { onSent, onIdle, onClosed, ...from } = options;
    const name = place ?? from.streamId;
    this.#open.get(name)?.close();
    const closed = bounds.opened(this.#session.principal);
    const abort = new AbortController();
    const onAbort = (): void => connection.close();
    const stay = whenExpired(expiresAt, health, () => connection.close(retryFrame(retryIntervalMs)));
    const connection: SseConnection = new SseConnection({
      opening,
      events: unstored ? undefined : this.#follow({ ...from, signal: abort.signal }),
      keepAliveMs,
      settlement: from.settlement,
      onSent: ({ id }) => {
        if (id !== undefined) onSent?.(id);
      },
      onIdle: () => {
        onIdle?.();
        this.#events.onIdle();
      },
      onClosed: (error) => {
        abort.abort();
        closed();
        stay();
        request.signal.removeEventListener('abort', onAbort);
        if (this.#open.get(name) === connection) this.#open.delete(name);
        this.#events.onClosed();
        onClosed?.();
        if (error !== undefined && !(error instanceof SessionError && error.code === 'EVENTS_TRIMMED')) onError(error);
      },
    });
    this.#open.set(name, connection);
    if (request.signal.aborted) connection.close();
    else request.signal.addEventListener('abort', onAbort, { once: true });
    return { response: new Response(connection.body, { headers: SSE_HEADERS }), over: abort.signal };
  }

  /** Sends what could not be stored on a stream's connection, see `Connected`. */
  push(streamId: string, message: unknown, always = false): boolean {
    return this.#open.get(streamId)?.push(message, always) ?? false;
  }

  /** Closes a stream's connection, if it has one, so that the client comes back for the rest. */
  close(streamId: string, lastFrame: string = retryFrame(this.#context.retryIntervalMs)): void {
    this.#open.get(streamId)?.close(lastFrame);
  }

  /** @param comeBack Whether clients are told when to come back. */
  closeAll(comeBack: boolean): void {
    for (const name of this.#open.keys()) this.close(name, comeBack ? undefined : '');
  }

  /** Waits a moment for the answers that are stored to reach the clients that wait for them. */
  async flush(): Promise<void> {
    const answered = [...this.#open].filter(([name]) => name !== STANDALONE_STREAM);
    await Promise.race([
      Promise.all(answered.map(([, connection]) => connection.over)),
      pause(FLUSH_MS, undefined, { ref: false }),
    ]);
  }

  /** @returns The connection's last frame. */
  async *#follow(options: FollowOptions): AsyncGenerator<OutgoingEvent, string, undefined> {
    const { health, onError, retryIntervalMs } = this.#context;
    const readAgain = async (error: unknown): Promise<boolean> => {
      if (!health.canDoWithout(error)) return false;
      onError(error);
      // Cut short where the connection is closed; the tail then ends at once.
      await pause(READ_AGAIN_MS, undefined, { signal: options.signal, ref: false }).catch(() => undefined);
      return true;
    };
    const ended = yield* follow(this.#session, { ...options, readAgain });
    if (ended === 'session') this.#events.onSessionEnded();
    return ended === 'connection' ? retryFrame(retryIntervalMs) : '';
  }
}
