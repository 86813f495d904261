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
import type { OutgoingIds } from './outgoing-ids.ts';
import { STANDALONE_STREAM } from './streams.ts';

/** Requests that a server may send again while it is restored: they ask for facts and do nothing. */
const REPEATABLE: ReadonlySet<string> = new Set(['roots/list', 'ping']);

/** A client's request that the server has not answered yet. */
interface OpenRequest {
  readonly request: JsonRpcRequest;
  /** Where its messages go; `undefined`: to the standalone stream. */
  readonly streamId: string | undefined;
  readonly answer: (response: JsonRpcResponse) => Promise<void> | void;
  answered: boolean;
}

/** What a transport stores messages with. */
export type Append = (streamId: string, message: JsonRpcMessage) => Promise<void>;

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
  /** Set by SDK v2 while it connects; `undefined`: the server asks for no scopes. */
  scopeResolver: unknown;
  readonly #ids: OutgoingIds;
  readonly #append: Append;
  readonly #open = new Map<RequestId, OpenRequest>();
  #quiet = false;
  #closed = false;
  #collisions = 0;
  readonly #onIdle: (() => void)[] = [];

  constructor(sessionId: string, ids: OutgoingIds, append: Append) {
    this.sessionId = sessionId;
    this.#ids = ids;
    this.#append = append;
  }

  get closed(): boolean {
    return this.#closed;
  }

  /** Whether a client's request is being answered. */
  get running(): boolean {
    return this.#open.size > 0;
  }

  /** Whether a request of either side waits for its answer. */
  get busy(): boolean {
    return this.running || this.#ids.size > 0;
  }

  async start(): Promise<void> {
    // Nothing to start: messages come with requests.
  }

  /** Ends the server's side: both SDK lines then abort the handlers that run. The session goes on. */
  async close(): Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
    const calls = [...this.#open.values()].filter(({ streamId }) => streamId === undefined);
    this.#open.clear();
    this.#tellIdle();
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
    if (this.#quiet && !(isRequest(message) && REPEATABLE.has(message.method))) {
      this.#suppress(message);
      return;
    }
    const outgoing = this.#ids.outgoing(message);
    try {
      await this.#append(related?.streamId ?? STANDALONE_STREAM, outgoing);
    } catch (error) {
      if (isRequest(outgoing)) this.#ids.answer({ jsonrpc: '2.0', id: outgoing.id });
      throw error;
    }
  }

  /** Hands a client's request to the server. `answer` gets its response, under the client's own id. */
  request(request: JsonRpcRequest, streamId: string, extra: unknown, answer: OpenRequest['answer']): void {
    this.#dispatch(request, streamId, extra, answer);
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
    const progressToken =
      notification.method === 'notifications/progress'
        ? this.#ids.progressToken(notification.params?.['progressToken'])
        : undefined;
    this.#deliver(
      progressToken === undefined
        ? notification
        : { ...notification, params: { ...notification.params, progressToken } },
      extra,
    );
  }

  /** Hands a client's response to the server, if this instance waits for it: one to an instance that is gone has nobody to go to. */
  response(response: JsonRpcResponse, extra: unknown): void {
    const answer = this.#ids.answer(response);
    if (answer !== undefined) this.#deliver(answer, extra);
  }

  /**
   * Tells the server that the client has cancelled a request. Both SDK lines then send no answer.
   *
   * @returns The stream on which the request would have been answered; `undefined`: it is not being answered here.
   */
  cancel(notification: JsonRpcNotification, requestId: RequestId, extra: unknown): string | undefined {
    const [ownId, open] = [...this.#open].findLast(([, { request }]) => request.id === requestId) ?? [];
    if (ownId === undefined || open === undefined || open.answered) return undefined;
    this.#deliver({ ...notification, params: { ...notification.params, requestId: ownId } }, extra);
    this.#settle(ownId);
    return open.streamId;
  }

  /** The client's requests that are being answered on a stream of their own. */
  openRequests(): { readonly id: RequestId; readonly streamId: string }[] {
    return [...this.#open.values()].flatMap(({ request, streamId }) =>
      streamId === undefined ? [] : [{ id: request.id, streamId }],
    );
  }

  /** Runs work during which the server may not reach the client: what it says was said before. */
  async quietly(work: () => Promise<void>): Promise<void> {
    this.#quiet = true;
    try {
      await work();
    } finally {
      this.#quiet = false;
    }
  }

  /** Resolves when no client's request is being answered. */
  async idle(): Promise<void> {
    while (this.#open.size > 0) await new Promise<void>((resolve) => this.#onIdle.push(resolve));
  }

  #dispatch(
    request: JsonRpcRequest,
    streamId: string | undefined,
    extra: unknown,
    answer: OpenRequest['answer'],
  ): void {
    // A client that was restarted counts from 0 again while requests of its former life still run.
    let ownId = request.id;
    while (this.#open.has(ownId)) ownId = `${request.id}#${++this.#collisions}`;
    this.#open.set(ownId, { request, streamId, answer, answered: false });
    this.#deliver({ ...request, id: ownId }, extra);
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
    if (this.#open.size === 0) this.#tellIdle();
  }

  #tellIdle(): void {
    for (const resolve of this.#onIdle.splice(0)) resolve();
  }

  #suppress(message: JsonRpcRequest | JsonRpcNotification): void {
    if (isRequest(message))
      queueMicrotask(() =>
        this.#deliver(errorResponse(message.id, SERVER_ERROR, 'Not sent: the session is being restored'), undefined),
      );
  }

  #deliver(message: JsonRpcMessage, extra: unknown): void {
    this.onmessage?.(message, extra);
  }
}
