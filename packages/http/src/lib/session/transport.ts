import {
  cancellation,
  errorResponse,
  isCancellation,
  isRequest,
  isResponse,
  type JsonRpcMessage,
  type JsonRpcNotification,
  type JsonRpcRequest,
  type JsonRpcResponse,
  type RequestId,
  SERVER_ERROR,
} from '../protocol/json-rpc.ts';
import { Waiters } from '../runtime/waiters.ts';
import { type OpenRequest, OpenRequests, type RequestOutput } from './open-requests.ts';
import { ReplayFilter } from './replay-filter.ts';
import type { TransportLike } from './sdk-adapter.ts';
import type { ServerRequestIds } from './server-request-ids.ts';

const notAnswered = (id: RequestId, why: string) => errorResponse(id, SERVER_ERROR, why);

/** The reasons that both sides get for a server request whose client request is over. */
const CALL_ANSWERED = 'Request for which it was asked was answered';
const CALL_CANCELLED = 'Request for which it was asked was cancelled';

/** The error that a restored server gets for a request that it sends again. */
const NOT_SENT =
  'Not sent: the session was restored, and this request was sent when it began; to send one now, use onRestore';

export interface TransportEvents {
  /** Stores a message that belongs to no request. */
  readonly append: (message: JsonRpcMessage) => Promise<void>;
  /** The server sends a request to its client. */
  readonly onServerRequest: () => void;
  /** The transport was closed, by either side. Called once. */
  readonly onClosed: () => void;
}

/**
 * The `Transport` of either SDK line for one session on one node. Whatever the server sends is
 * stored in the session's log, on exactly one stream. HTTP responses are read from the log.
 */
export class SessionTransport implements TransportLike {
  readonly sessionId: string;
  onmessage?: ((message: JsonRpcMessage, extra?: unknown) => void) | undefined;
  onclose?: (() => void) | undefined;
  onerror?: ((error: Error) => void) | undefined;
  scopeResolver: unknown;
  readonly ids: ServerRequestIds;
  /** The client's requests that the server has not answered yet. */
  readonly open: OpenRequests = new OpenRequests();
  readonly replayFilter: ReplayFilter = new ReplayFilter();
  readonly #events: TransportEvents;
  readonly #settled = new Waiters();
  #closed = false;

  constructor(sessionId: string, ids: ServerRequestIds, events: TransportEvents) {
    this.sessionId = sessionId;
    this.ids = ids;
    this.#events = events;
  }

  get closed(): boolean {
    return this.#closed;
  }

  /** Whether a request of either side waits for its response. */
  get busy(): boolean {
    return !this.#closed && (this.open.size > 0 || this.ids.size > 0);
  }

  async start(): Promise<void> {
    // Nothing to start: messages arrive with HTTP requests.
  }

  /**
   * Ends the server's side: both SDK lines then abort the handlers that run. The session continues.
   */
  async close(): Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
    const calls = this.open.clear().filter(({ stream }) => stream === undefined);
    this.#settled.changed();
    try {
      this.onclose?.();
    } finally {
      // The application's own listener may throw. The session must be released all the same.
      this.#events.onClosed();
    }
    for (const { request, answer } of calls) await answer(notAnswered(request.id, 'Transport is closed'));
  }

  /** Called by SDK v2 while it connects. */
  setScopeChallengeResolver(resolver: unknown): void {
    this.scopeResolver = resolver;
  }

  /** Called by the server. Resolves when the message is stored. */
  async send(message: JsonRpcMessage, options?: { readonly relatedRequestId?: RequestId | undefined }): Promise<void> {
    if (this.#closed) throw new Error('Transport is closed');
    if (isResponse(message)) {
      await this.#respond(message);
      return;
    }
    const relatedId = options?.relatedRequestId ?? this.ids.callOf(message, this.open.handled);
    const related = this.open.get(relatedId);
    const isOver = related === undefined || (related.answered && isRequest(message));
    // A handler may cancel what it asked when its request is over. That was done already.
    if (relatedId !== undefined && isOver && !isCancellation(message)) {
      throw new Error(`Request ${JSON.stringify(relatedId)} is not being answered any more`);
    }
    if (related?.stream === undefined && this.replayFilter.suppresses(message)) {
      if (isRequest(message)) queueMicrotask(() => this.onmessage?.(notAnswered(message.id, NOT_SENT), undefined));
      return;
    }
    const outgoing = this.ids.outgoing(message, related?.stream && relatedId);
    if (outgoing === undefined) return;
    if (isRequest(outgoing)) this.#events.onServerRequest();
    else this.#settled.changed();
    try {
      if (related?.stream === undefined) await this.#events.append(outgoing);
      else await related.stream.append(outgoing);
    } catch (error) {
      if (isRequest(outgoing)) this.ids.forget(String(outgoing.id));
      this.#settled.changed();
      throw error;
    }
  }

  /** Hands a request to the server. `answer` gets the response, with the request's own id. */
  request(
    request: JsonRpcRequest,
    stream: RequestOutput | undefined,
    extra: unknown,
    answer: OpenRequest['answer'],
    dropped?: OpenRequest['dropped'],
  ): void {
    // Nothing would remove it again.
    if (this.#closed) return dropped?.('interrupted');
    const ownId = this.open.add({ request, stream, answer, dropped, answered: false });
    this.open.handle(ownId, () => this.onmessage?.({ ...request, id: ownId }, extra));
  }

  /** Makes a request that is no client's, and returns its response. Nothing of it is stored. */
  call(request: JsonRpcRequest, extra: unknown): Promise<JsonRpcResponse> {
    return new Promise((resolve, reject) => {
      if (this.#closed) reject(new Error('Transport is closed'));
      else this.request(request, undefined, extra, resolve);
    });
  }

  /** Hands a client's notification to the server. */
  notify(notification: JsonRpcNotification, extra: unknown): void {
    this.onmessage?.(notification, extra);
  }

  /** Whether a request of this server waits for this message: its response, or its progress. */
  awaits(message: JsonRpcResponse | JsonRpcNotification): boolean {
    if (isResponse(message)) return this.ids.ownId(message.id) !== undefined;
    if (message.method !== 'notifications/progress') return false;
    return this.ids.ownId(message.params?.['progressToken']) !== undefined;
  }

  /**
   * Hands the progress of a server request to the server. Returns whether this server waits for it.
   */
  progress(notification: JsonRpcNotification, extra: unknown): boolean {
    const progressToken = this.ids.ownId(notification.params?.['progressToken']);
    if (progressToken === undefined) return false;
    this.onmessage?.({ ...notification, params: { ...notification.params, progressToken } }, extra);
    return true;
  }

  /** Hands a client's response to the server. @returns Whether this server waits for it. */
  response(response: JsonRpcResponse, extra: unknown): boolean {
    const answer = this.ids.answer(response);
    if (answer === undefined) return false;
    this.onmessage?.(answer, extra);
    this.#settled.changed();
    return true;
  }

  /**
   * Reports the client's cancellation of a request to the server. Both SDK lines then send no
   * response.
   *
   * @param forwardedSeq Number of the event that cancels: requests that came later are not meant.
   * Default: all are.
   * @param stream Only a request that is answered there. Default: on any stream.
   * @returns The stream of the request; `undefined` if it is not being answered here.
   */
  cancel(
    notification: JsonRpcNotification,
    requestId: RequestId,
    extra: unknown,
    forwardedSeq: number = Number.POSITIVE_INFINITY,
    stream?: RequestOutput,
  ): RequestOutput | undefined {
    const call = this.open.findOfClient(
      requestId,
      (each) => each.sinceSeq < forwardedSeq && (stream === undefined || each === stream),
    );
    if (call === undefined) return undefined;
    this.onmessage?.({ ...notification, params: { ...notification.params, requestId: call.ownId } }, extra);
    this.open.get(call.ownId)?.dropped?.('cancelled');
    this.#settle(call.ownId);
    this.#endQuestions(call.ownId, call.stream, CALL_CANCELLED);
    return call.stream;
  }

  /** Resolves when no request of the client is being answered. */
  async answered(): Promise<void> {
    while (this.open.size > 0) await this.#settled.next();
  }

  /** Resolves when no request of either side waits for its response. */
  async settled(): Promise<void> {
    while (this.busy) await this.#settled.next();
  }

  async #respond(response: JsonRpcResponse): Promise<void> {
    const open = this.open.get(response.id);
    if (open === undefined || response.id === undefined || open.answered) return;
    open.answered = true;
    // Before the response, after which nobody reads the stream.
    this.#endQuestions(response.id, open.stream, CALL_ANSWERED);
    try {
      await open.answer({ ...response, id: open.request.id });
    } finally {
      this.#settle(response.id);
    }
  }

  #settle(ownId: RequestId): void {
    this.open.delete(ownId);
    this.#settled.changed();
  }

  /** Ends what was asked on the stream of a client request, on both sides. */
  #endQuestions(callId: RequestId, stream: RequestOutput | undefined, why: string): void {
    for (const { ownId, wireId } of this.ids.forgetAskedFor(callId)) {
      this.onmessage?.(notAnswered(ownId, why), undefined);
      // If it cannot be stored, the end of the stream cannot be stored either, and that call
      // reports why.
      stream?.append(cancellation(wireId, why)).catch(() => undefined);
    }
    this.#settled.changed();
  }
}
