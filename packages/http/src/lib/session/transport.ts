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
import { type OpenRequest, OpenRequests, type RequestOutput } from './open-requests.ts';
import { Quiet } from './quiet.ts';
import { Waiters } from '../runtime/waiters.ts';
import type { ServerRequestIds } from './server-request-ids.ts';
import type { TransportLike } from './sdk-adapter.ts';

/** What the server and its client are told of what was asked for a request that is cancelled. */
const CALL_CANCELLED = 'Request for which it was asked was cancelled';

/** What a restored server is told of what it asks again. */
const NOT_SENT =
  'Not sent: the session was restored, and this was asked when it began; what is to be asked now belongs in onRestore';

/** What a transport calls. */
export interface TransportEvents {
  /** Stores a message that belongs to no request. */
  readonly append: (message: JsonRpcMessage) => Promise<void>;
  /** The server has asked its client something. */
  readonly onServerRequest: () => void;
  /** It was closed, by whomever: the server can do so itself. Called once. */
  readonly onClosed: () => void;
}

/**
 * The `Transport` of either SDK line for one session on one node. Whatever the server sends is stored in the session's log, on
 * exactly one stream; HTTP responses are read from there and from nowhere else.
 */
export class SessionTransport implements TransportLike {
  readonly sessionId: string;
  onmessage?: ((message: JsonRpcMessage, extra?: unknown) => void) | undefined;
  onclose?: (() => void) | undefined;
  onerror?: ((error: Error) => void) | undefined;
  /** What is not sent while it is restored. */
  readonly quiet: Quiet = new Quiet();
  /** Set by SDK v2 while it connects; `undefined`: the server asks for no scopes. */
  scopeResolver: unknown;
  readonly ids: ServerRequestIds;
  readonly #events: TransportEvents;
  /** Requests that it has not answered yet. */
  readonly open: OpenRequests = new OpenRequests();
  #closed = false;
  readonly #fewer = new Waiters();

  constructor(sessionId: string, ids: ServerRequestIds, events: TransportEvents) {
    this.sessionId = sessionId;
    this.ids = ids;
    this.#events = events;
  }

  get closed(): boolean {
    return this.#closed;
  }

  /** Whether a request of either side waits for its answer. */
  get busy(): boolean {
    return this.open.size > 0 || this.ids.size > 0;
  }

  /** The same, but not once it is closed. */
  get waiting(): boolean {
    return this.busy && !this.#closed;
  }

  async start(): Promise<void> {
    // Nothing to start: messages come with requests.
  }

  /** Ends the server's side: both SDK lines then abort the handlers that run. The session goes on. */
  async close(): Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
    const calls = this.open.clear().filter(({ stream }) => stream === undefined);
    this.#fewer.changed();
    try {
      this.onclose?.();
    } finally {
      // The application's own listener can throw, and what is closed must be let go all the same.
      this.#events.onClosed();
    }
    for (const { request, answer } of calls)
      await answer(errorResponse(request.id, SERVER_ERROR, 'Transport is closed'));
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
    // A request of the server's can end later than the one for which it was made, and its client has to hear of it all the same.
    if (relatedId !== undefined && related === undefined && !isCancellation(message))
      throw new Error(`Request ${JSON.stringify(relatedId)} is not being answered any more`);
    if (related?.stream === undefined && this.quiet.keepsBack(message)) {
      const { id } = message as Partial<JsonRpcRequest>;
      if (id !== undefined) queueMicrotask(() => this.onmessage?.(errorResponse(id, SERVER_ERROR, NOT_SENT)));
      return;
    }
    const outgoing = this.ids.outgoing(message, relatedId);
    if (outgoing === undefined) return;
    if (isRequest(outgoing)) this.#events.onServerRequest();
    else this.#fewer.changed();
    try {
      if (related?.stream === undefined) await this.#events.append(outgoing);
      else await related.stream.append(outgoing);
    } catch (error) {
      if (isRequest(outgoing)) this.ids.forget(String(outgoing.id));
      this.#fewer.changed();
      throw error;
    }
  }

  /**
   * Hands a request to the server.
   *
   * @param stream The stream of the client's POST; `undefined`: it is no client's.
   * @param answer Gets its response, under the request's own id.
   */
  request(
    request: JsonRpcRequest,
    stream: RequestOutput | undefined,
    extra: unknown,
    answer: OpenRequest['answer'],
  ): void {
    const ownId = this.open.add({ request, stream, answer, answered: false });
    this.open.handle(ownId, () => this.onmessage?.({ ...request, id: ownId }, extra));
  }

  /** Makes a request on nobody's behalf and returns its response, which goes nowhere else. */
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

  /** Whether a request of this server's waits for such a message: its answer, or progress on the way to it. */
  awaits(posting: JsonRpcResponse | JsonRpcNotification): boolean {
    if (isResponse(posting)) return this.ids.ownId(posting.id) !== undefined;
    if (posting.method !== 'notifications/progress') return false;
    return this.ids.ownId(posting.params?.['progressToken']) !== undefined;
  }

  /** Hands the progress of one of the server's requests to it. @returns Whether this instance waits for it. */
  progress(notification: JsonRpcNotification, extra: unknown): boolean {
    const progressToken = this.ids.ownId(notification.params?.['progressToken']);
    if (progressToken === undefined) return false;
    this.onmessage?.({ ...notification, params: { ...notification.params, progressToken } }, extra);
    return true;
  }

  /** Hands a client's response to the server. @returns Whether this instance waits for it: otherwise nothing happens. */
  response(response: JsonRpcResponse, extra: unknown): boolean {
    const answer = this.ids.answer(response);
    if (answer === undefined) return false;
    this.onmessage?.(answer, extra);
    this.#fewer.changed();
    return true;
  }

  /**
   * Tells the server that the client has cancelled a request. Both SDK lines then send no answer.
   *
   * @param postedSeq Number of the event that says so: requests that came later are not meant. Default: all are.
   * @param stream Only a request that is answered there. Default: on any.
   * @returns The stream on which the request would have been answered; `undefined`: it is not being answered here.
   */
  cancel(
    notification: JsonRpcNotification,
    requestId: RequestId,
    extra: unknown,
    postedSeq: number = Number.POSITIVE_INFINITY,
    stream?: RequestOutput,
  ): RequestOutput | undefined {
    const call = this.open.findOfClient(
      requestId,
      (each) => each.sinceSeq < postedSeq && (stream === undefined || each === stream),
    );
    if (call === undefined) return undefined;
    this.onmessage?.({ ...notification, params: { ...notification.params, requestId: call.ownId } }, extra);
    this.#settle(call.ownId);
    this.#giveUpAsked(call.ownId, call.stream);
    return call.stream;
  }

  /** Resolves when no client's request is being answered. */
  async idle(): Promise<void> {
    while (this.open.size > 0) await this.#fewer.next();
  }

  /** Resolves when no request of either side waits for its answer. */
  async rest(): Promise<void> {
    while (this.waiting) await this.#fewer.next();
  }

  async #respond(response: JsonRpcResponse): Promise<void> {
    const open = this.open.get(response.id);
    if (open === undefined || response.id === undefined || open.answered) return;
    open.answered = true;
    try {
      await open.answer({ ...response, id: open.request.id });
    } finally {
      this.#settle(response.id);
    }
  }

  #settle(ownId: RequestId): void {
    this.open.delete(ownId);
    this.#fewer.changed();
  }

  /**
   * Ends what was asked for a request that its client has cancelled, on both sides. Whether the server does so itself depends on how its handler was written, and
   * where it does, it is not told of it twice.
   */
  #giveUpAsked(callId: RequestId, stream: RequestOutput): void {
    for (const { ownId, wireId } of this.ids.forgetAskedFor(callId)) {
      this.onmessage?.(errorResponse(ownId, SERVER_ERROR, CALL_CANCELLED), undefined);
      // If it cannot be stored, the end of the stream cannot be stored either, and that call reports why.
      stream.append(cancellation(wireId, CALL_CANCELLED)).catch(() => undefined);
    }
    this.#fewer.changed();
  }
}
