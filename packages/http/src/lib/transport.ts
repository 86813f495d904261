import { AsyncLocalStorage } from 'node:async_hooks';
import {
  errorResponse,
  isRequest,
  isResponse,
  type JsonRpcMessage,
  type JsonRpcNotification,
  type JsonRpcRequest,
  type JsonRpcResponse,
  type RequestId,
  SERVER_ERROR,
} from './json-rpc.ts';
import type { OpenRequest, RequestOutput } from './open-request.ts';
import type { OutgoingIds } from './outgoing-ids.ts';

/** Requests that a server may send again while it is restored: they ask for facts and do nothing. */
const REPEATABLE: ReadonlySet<string> = new Set(['roots/list', 'ping']);

/** What a transport stores messages with that belong to no request. */
export type Append = (message: JsonRpcMessage) => Promise<void>;

/**
 * The `Transport` of either SDK line for one session on one node. Whatever the server sends is stored in the session's log, on
 * exactly one stream; HTTP responses are read from there and from nowhere else.
 */
export class SessionTransport {
  readonly sessionId: string;
  onmessage?: ((message: JsonRpcMessage, extra?: unknown) => void) | undefined;
  onclose?: (() => void) | undefined;
  onerror?: ((error: Error) => void) | undefined;
  /** Is called once, when it is closed by whomever: the server can do so itself. */
  onEnd: (() => void) | undefined;
  /** Is called when the server has asked its client something. */
  onAsked: (() => void) | undefined;
  /** Set by SDK v2 while it connects; `undefined`: the server asks for no scopes. */
  scopeResolver: unknown;
  readonly #ids: OutgoingIds;
  readonly #append: Append;
  readonly #open = new Map<RequestId, OpenRequest>();
  /** Told apart by what led to a message, so that others may speak while a server is told what it missed. */
  readonly #quiet = new AsyncLocalStorage<{ over: boolean }>();
  #closed = false;
  #collisions = 0;
  readonly #onLess: (() => void)[] = [];

  constructor(sessionId: string, ids: OutgoingIds, append: Append) {
    this.sessionId = sessionId;
    this.#ids = ids;
    this.#append = append;
  }

  get closed(): boolean {
    return this.#closed;
  }

  /** Whether a request of either side waits for its answer. */
  get busy(): boolean {
    return this.#open.size > 0 || this.#ids.size > 0;
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
    const calls = [...this.#open.values()].filter(({ stream }) => stream === undefined);
    this.#open.clear();
    this.#tellLess();
    try {
      this.onclose?.();
    } finally {
      // The application's own listener can throw, and what is closed must be let go all the same.
      this.onEnd?.();
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
    const relatedId = options?.relatedRequestId;
    const related = relatedId === undefined ? undefined : this.#open.get(relatedId);
    if (relatedId !== undefined && related === undefined)
      throw new Error(`Request ${JSON.stringify(relatedId)} is not being answered any more`);
    if (this.#quiet.getStore()?.over === false && !(isRequest(message) && REPEATABLE.has(message.method))) {
      this.#suppress(message);
      return;
    }
    const outgoing = this.#ids.outgoing(message);
    if (isRequest(outgoing)) this.onAsked?.();
    else this.#tellLess();
    try {
      if (related?.stream === undefined) await this.#append(outgoing);
      else await related.stream.append(outgoing);
    } catch (error) {
      if (isRequest(outgoing)) this.#ids.answer({ jsonrpc: '2.0', id: outgoing.id });
      this.#tellLess();
      throw error;
    }
  }

  /** Hands a client's request to the server. `answer` gets its response, under the client's own id. */
  request(request: JsonRpcRequest, stream: RequestOutput, extra: unknown, answer: OpenRequest['answer']): void {
    this.#dispatch(request, stream, extra, answer);
  }

  /** Makes a request on nobody's behalf and returns its response, which goes nowhere else. */
  call(request: JsonRpcRequest, extra: unknown): Promise<JsonRpcResponse> {
    return new Promise((resolve, reject) => {
      if (this.#closed) reject(new Error('Transport is closed'));
      else this.#dispatch(request, undefined, extra, resolve);
    });
  }

  /** Hands a client's notification to the server. */
  notify(notification: JsonRpcNotification, extra: unknown): void {
    this.onmessage?.(notification, extra);
  }

  /** Hands the progress of one of the server's requests to it. @returns Whether this instance waits for it. */
  progress(notification: JsonRpcNotification, extra: unknown): boolean {
    const progressToken = this.#ids.progressToken(notification.params?.['progressToken']);
    if (progressToken === undefined) return false;
    this.onmessage?.({ ...notification, params: { ...notification.params, progressToken } }, extra);
    return true;
  }

  /** Hands a client's response to the server. @returns Whether this instance waits for it: otherwise nothing happens. */
  response(response: JsonRpcResponse, extra: unknown): boolean {
    const answer = this.#ids.answer(response);
    if (answer === undefined) return false;
    this.onmessage?.(answer, extra);
    this.#tellLess();
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
    const meant = (open: OpenRequest): boolean =>
      open.request.id === requestId &&
      (open.stream?.sinceSeq ?? 0) < postedSeq &&
      (stream === undefined || open.stream === stream);
    const [ownId, open] = [...this.#open].findLast(([, each]) => meant(each)) ?? [];
    if (ownId === undefined || open === undefined || open.answered) return undefined;
    this.onmessage?.({ ...notification, params: { ...notification.params, requestId: ownId } }, extra);
    this.#settle(ownId);
    return open.stream;
  }

  /** The client's requests that are being answered on a stream of their own. */
  openRequests(): { readonly id: RequestId; readonly stream: RequestOutput }[] {
    return [...this.#open.values()].flatMap(({ request, stream }) =>
      stream === undefined ? [] : [{ id: request.id, stream }],
    );
  }

  /** Runs work whose echo may not reach the client: what the server says to it was said before. */
  async quietly(work: () => Promise<void>): Promise<void> {
    const quiet = { over: false };
    try {
      await this.#quiet.run(quiet, work);
    } finally {
      quiet.over = true;
    }
  }

  /** Resolves when no client's request is being answered. */
  async idle(): Promise<void> {
    while (this.#open.size > 0) await this.#less();
  }

  /** Resolves when no request of either side waits for its answer. */
  async rest(): Promise<void> {
    while (this.waiting) await this.#less();
  }

  #dispatch(
    request: JsonRpcRequest,
    stream: RequestOutput | undefined,
    extra: unknown,
    answer: OpenRequest['answer'],
  ): void {
    // A client that was restarted counts from 0 again while requests of its former life still run.
    let ownId = request.id;
    while (this.#open.has(ownId)) ownId = `${request.id}#${++this.#collisions}`;
    this.#open.set(ownId, { request, stream, answer, answered: false });
    this.onmessage?.({ ...request, id: ownId }, extra);
  }

  async #respond(response: JsonRpcResponse): Promise<void> {
    const open = response.id === undefined ? undefined : this.#open.get(response.id);
    if (open === undefined || response.id === undefined || open.answered) return;
    open.answered = true;
    try {
      await open.answer({ ...response, id: open.request.id });
    } finally {
      this.#settle(response.id);
    }
  }

  #settle(ownId: RequestId): void {
    this.#open.delete(ownId);
    this.#tellLess();
  }

  #less(): Promise<void> {
    return new Promise((resolve) => this.#onLess.push(resolve));
  }

  #tellLess(): void {
    for (const resolve of this.#onLess.splice(0)) resolve();
  }

  #suppress(message: JsonRpcRequest | JsonRpcNotification): void {
    if (isRequest(message))
      queueMicrotask(() =>
        this.onmessage?.(errorResponse(message.id, SERVER_ERROR, 'Not sent: the session is being restored'), undefined),
      );
  }
}
