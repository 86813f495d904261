import { jsonOf, responseWithBody } from '../protocol/buffered-body.ts';
import { closing } from '../protocol/http-errors.ts';
import {
  errorResponse,
  INTERNAL_ERROR,
  isRequest,
  type JsonRpcMessage,
  type JsonRpcRequest,
  type JsonRpcResponse,
  type RequestId,
} from '../protocol/json-rpc.ts';
import type { Journal } from '../reports/journal.ts';
import type { OperationReport } from '../reports/operation.ts';
import { OneShotTransport } from '../session/one-shot-transport.ts';
import type { Caller, SdkAdapter, ServerLike } from '../session/sdk-adapter.ts';
import { Settlement } from '../stream/settlement.ts';
import { messageFrame, SSE_HEADERS, SseConnection } from '../stream/sse.ts';
import type { AnswerForm } from './accept.ts';
import type { Posted } from './body.ts';

/** How long the first message may take before a stream begins without it, in milliseconds. */
const OPEN_AFTER_MS = 10;

export interface OneShotContext {
  readonly keepAliveMs: number;
  readonly onError: (error: unknown) => void;
  /** Reports an open stream. @returns A function to call when it is closed. */
  readonly onStream: () => () => void;
  readonly journal: Journal;
  /** The protocol revision that governs the request. */
  readonly revision: string;
}

/**
 * The requests of one POST that has no session, with the server that answers them. The server is
 * closed with the last response, or when the client disconnects: nobody can come back for more.
 */
export class OneShot {
  /** Resolves when the server is closed. */
  readonly over: Promise<void>;
  readonly #server: ServerLike;
  readonly #requests: readonly JsonRpcRequest[];
  readonly #posted: Posted;
  readonly #caller: Caller;
  readonly #context: OneShotContext;
  readonly #transport: OneShotTransport;
  readonly #settlement: Settlement;
  /** The responses, and for a stream also the notifications, that were not sent yet. */
  readonly #unsent: JsonRpcMessage[] = [];
  /** The reports of the requests; `undefined`: none is reported. */
  #reports: Map<RequestId, OperationReport> | undefined;
  readonly #begin = Promise.withResolvers<void>();
  readonly #over = Promise.withResolvers<void>();
  #connection: SseConnection | undefined;
  #isComplete = false;
  #isClosed = false;

  constructor(server: ServerLike, posted: Posted, caller: Caller, context: OneShotContext) {
    this.#server = server;
    this.#posted = posted;
    this.#caller = caller;
    this.#context = context;
    this.#requests = posted.messages.filter(isRequest);
    this.#settlement = new Settlement(this.#requests.length);
    this.over = this.#over.promise;
    this.#transport = new OneShotTransport({
      onResponse: (response) => this.#respond(response),
      onNotification: (message) => this.#add(message, false),
      onClosed: () => void this.close(),
    });
  }

  async answer(sdk: SdkAdapter, form: AnswerForm): Promise<Response> {
    const { request, authInfo } = this.#caller;
    const { messages, isBatch } = this.#posted;
    const onAbort = (): void => void this.close();
    request.signal.addEventListener('abort', onAbort, { once: true });
    void this.over.then(() => request.signal.removeEventListener('abort', onAbort));
    await sdk.connect(this.#server, this.#transport);
    const refused = await sdk.refuseScopes?.(this.#transport, messages, authInfo);
    if (refused !== undefined) return this.#end(refused);
    const extra = sdk.messageExtra({ request, authInfo, closeStream: undefined, closeStandaloneStream: undefined });
    for (const message of messages) this.#deliver(message, extra);
    await this.#begun(form);
    if (!this.#isComplete && !this.#isClosed) return this.#stream();
    if (form === 'sse') {
      const frames = this.#unsent.map((message) => messageFrame({ id: undefined, message }));
      return this.#end(responseWithBody(frames.join(''), SSE_HEADERS));
    }
    const answers = this.#requests.map(({ id }) => this.#responseTo(id));
    return this.#end(jsonOf(isBatch ? answers : answers[0]));
  }

  /** Closes the server, which aborts its handlers. */
  async close(): Promise<void> {
    if (this.#isClosed) return;
    this.#isClosed = true;
    this.#begin.resolve();
    const why = this.#caller.request.signal.aborted ? 'cancelled' : 'interrupted';
    this.#reports?.forEach((report) => report.failed(why));
    this.#connection?.close();
    try {
      await this.#server.close();
    } catch (error) {
      this.#context.onError(error);
    }
    this.#over.resolve();
  }

  /** Waits for all responses. A stream begins with its first message, or after 10 ms. */
  async #begun(form: AnswerForm): Promise<void> {
    const timer = form === 'sse' ? setTimeout(() => this.#begin.resolve(), OPEN_AFTER_MS).unref() : undefined;
    await this.#begin.promise;
    clearTimeout(timer);
  }

  #deliver(message: JsonRpcMessage, extra: unknown): void {
    const { journal, revision } = this.#context;
    const report = isRequest(message) ? journal.operation(message, undefined, revision) : undefined;
    if (report === undefined || !isRequest(message)) {
      this.#transport.onmessage?.(message, extra);
      return;
    }
    this.#reports ??= new Map();
    this.#reports.set(message.id, report);
    report.run(() => this.#transport.onmessage?.(message, extra));
  }

  #respond(response: JsonRpcResponse): void {
    const { id } = response;
    if (id !== undefined) this.#reports?.get(id)?.answered(response);
    this.#add(response, id !== undefined && this.#settlement.add(id));
  }

  #add(message: JsonRpcMessage, isLast: boolean): void {
    this.#isComplete ||= isLast;
    if (this.#connection !== undefined) this.#connection.push(message, isLast);
    else this.#unsent.push(message);
    if (isLast) this.#begin.resolve();
  }

  #responseTo(id: JsonRpcRequest['id']): JsonRpcMessage {
    const response = this.#unsent.find((message) => !('method' in message) && message.id === id);
    return response ?? errorResponse(id, INTERNAL_ERROR, 'Server was stopped while it handled the request');
  }

  #stream(): Response {
    const closed = this.#context.onStream();
    const connection = new SseConnection({
      opening: '',
      events: undefined,
      keepAliveMs: this.#context.keepAliveMs,
      // Counts anew: what waits is pushed again.
      settlement: new Settlement(this.#requests.length),
      onClosed: () => {
        closed();
        void this.close();
      },
    });
    this.#connection = connection;
    for (const message of this.#unsent.splice(0)) connection.push(message, true);
    return new Response(connection.body, { headers: SSE_HEADERS });
  }

  #end(response: Response): Response {
    void this.close();
    return response;
  }
}

/** The requests without a session that are answered in this process. */
export class OneShots {
  readonly #running = new Set<OneShot>();
  #isStopped = false;

  add(oneShot: OneShot): void {
    if (this.#isStopped) throw closing();
    this.#running.add(oneShot);
    void oneShot.over.then(() => this.#running.delete(oneShot));
  }

  /** Resolves when all that run are answered. */
  async answered(): Promise<void> {
    await Promise.all([...this.#running].map(({ over }) => over));
  }

  async stop(): Promise<void> {
    this.#isStopped = true;
    await Promise.all([...this.#running].map((oneShot) => oneShot.close()));
  }
}
