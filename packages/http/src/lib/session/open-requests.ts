import { AsyncLocalStorage } from 'node:async_hooks';
import type { JsonRpcRequest, JsonRpcResponse, RequestId } from '../protocol/json-rpc.ts';

/** A request that the server has not answered yet. */
export interface OpenRequest {
  readonly request: JsonRpcRequest;
  /**
   * The stream of the client's POST; `undefined`: the request is no client's, and cannot be
   * cancelled.
   */
  readonly stream: RequestOutput | undefined;
  readonly answer: (response: JsonRpcResponse) => Promise<void> | void;
  /** Is called instead of `answer` if there is no response. */
  readonly dropped?: ((why: 'cancelled' | 'interrupted') => void) | undefined;
  answered: boolean;
}

/** The stream on which requests are answered, as their transport uses it. */
export interface RequestOutput {
  readonly streamId: string;
  /**
   * Number of the session's newest event when the requests came: forwarded messages up to it are
   * not about them.
   */
  readonly sinceSeq: number;
  /**
   * Stores a message or a marker on the stream.
   *
   * @param retry Whether to repeat an append that certainly did not happen. Default: `false`.
   */
  append(message: unknown, retry?: boolean): Promise<void>;
  /** Stores an error or a marker instead of a response, once the store works again. */
  settleLater(message: unknown): void;
}

/** A client's request that is answered on a stream of its own. */
export interface RunningRequest {
  readonly id: RequestId;
  readonly stream: RequestOutput;
}

/** The requests that a server has not answered yet, by the ids that the server knows. */
export class OpenRequests {
  readonly #open = new Map<RequestId, OpenRequest>();
  /** How many requests each stream answers. */
  readonly #streams = new Map<string, number>();
  /** The request whose handler caused the current call, directly or later. */
  readonly #handled = new AsyncLocalStorage<{ readonly ownId: RequestId; readonly open: OpenRequest }>();
  #collisions = 0;

  get size(): number {
    return this.#open.size;
  }

  /** @returns The id that the server gets. */
  add(open: OpenRequest): RequestId {
    // A restarted client counts from 0 again while requests of its former run are still open.
    let ownId = open.request.id;
    while (this.#open.has(ownId)) ownId = `${open.request.id}#${++this.#collisions}`;
    this.#open.set(ownId, open);
    this.#count(open, 1);
    return ownId;
  }

  get(ownId: RequestId | undefined): OpenRequest | undefined {
    return ownId === undefined ? undefined : this.#open.get(ownId);
  }

  /** Runs a function as the handler of a request, see {@link handled}. */
  handle(ownId: RequestId, handler: () => void): void {
    const open = this.#open.get(ownId);
    if (open !== undefined) this.#handled.run({ ownId, open }, handler);
  }

  /**
   * The client's request whose handler caused this call; `undefined`: there is none, or it is
   * answered.
   */
  get handled(): RequestId | undefined {
    const { ownId, open } = this.#handled.getStore() ?? {};
    // By now, the id can belong to another request.
    return open?.stream === undefined || open.answered || this.get(ownId) !== open ? undefined : ownId;
  }

  delete(ownId: RequestId): void {
    const open = this.#open.get(ownId);
    if (open === undefined) return;
    this.#open.delete(ownId);
    this.#count(open, -1);
  }

  /** Removes all requests and returns them: the server answers none of them any more. */
  clear(): OpenRequest[] {
    const all = [...this.#open.values()];
    for (const { answered, dropped } of all) if (!answered) dropped?.('interrupted');
    this.#open.clear();
    this.#streams.clear();
    return all;
  }

  /**
   * Finds the newest of a client's open requests with this id.
   *
   * @param isMeant Whether a request on this stream may be the one.
   */
  findOfClient(
    requestId: RequestId,
    isMeant: (stream: RequestOutput) => boolean,
  ): (RunningRequest & { readonly ownId: RequestId }) | undefined {
    const [ownId, open] =
      [...this.#open].findLast(
        ([, { request, stream }]) => request.id === requestId && stream !== undefined && isMeant(stream),
      ) ?? [];
    if (ownId === undefined || open?.stream === undefined || open.answered) return undefined;
    return { ownId, id: requestId, stream: open.stream };
  }

  isRunning(streamId: string): boolean {
    return this.#streams.has(streamId);
  }

  /** The client's open requests. */
  ofClient(): RunningRequest[] {
    return [...this.#open.values()].flatMap(({ request, stream }) =>
      stream === undefined ? [] : [{ id: request.id, stream }],
    );
  }

  #count({ stream }: OpenRequest, change: number): void {
    if (stream === undefined) return;
    const count = (this.#streams.get(stream.streamId) ?? 0) + change;
    if (count > 0) this.#streams.set(stream.streamId, count);
    else this.#streams.delete(stream.streamId);
  }
}
