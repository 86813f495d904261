import { AsyncLocalStorage } from 'node:async_hooks';
import type { JsonRpcRequest, JsonRpcResponse, RequestId } from '../protocol/json-rpc.ts';

/** A request that the server has not answered yet. */
export interface OpenRequest {
  readonly request: JsonRpcRequest;
  /** Where its messages go; `undefined`: to the standalone stream. It is nobody's then, and no client can cancel it. */
  readonly stream: RequestOutput | undefined;
  readonly answer: (response: JsonRpcResponse) => Promise<void> | void;
  answered: boolean;
}

/** The stream on which requests are answered, as their transport uses it. */
export interface RequestOutput {
  readonly streamId: string;
  /** Number of the session's newest event when the requests came: what was posted up to there is not about them. */
  readonly sinceSeq: number;
  /**
   * Stores a message or a mark on the stream.
   *
   * @param again Whether it is tried again where the store says that it can go well. Default: `false`.
   */
  append(message: unknown, again?: boolean): Promise<void>;
}

/** A client's request that is answered on a stream of its own. */
export interface Running {
  readonly id: RequestId;
  readonly stream: RequestOutput;
}

/** The requests that a server has not answered yet, by the ids under which it knows them. */
export class OpenRequests {
  readonly #open = new Map<RequestId, OpenRequest>();
  /** How many requests each stream answers. */
  readonly #streams = new Map<string, number>();
  /** What leads to whatever a handler does, now and later. */
  readonly #handled = new AsyncLocalStorage<{ readonly ownId: RequestId; readonly open: OpenRequest }>();
  #collisions = 0;

  get size(): number {
    return this.#open.size;
  }

  /** @returns The id under which the server gets to know it. */
  add(open: OpenRequest): RequestId {
    // A client that was restarted counts from 0 again while requests of its former life still run.
    let ownId = open.request.id;
    while (this.#open.has(ownId)) ownId = `${open.request.id}#${++this.#collisions}`;
    this.#open.set(ownId, open);
    this.#count(open, 1);
    return ownId;
  }

  get(ownId: RequestId | undefined): OpenRequest | undefined {
    return ownId === undefined ? undefined : this.#open.get(ownId);
  }

  /** Hands a request to its handler. */
  handle(ownId: RequestId, hand: () => void): void {
    const open = this.#open.get(ownId);
    if (open !== undefined) this.#handled.run({ ownId, open }, hand);
  }

  /** The client's request whose handler has led to this call; `undefined`: none has, or it is answered. */
  get handled(): RequestId | undefined {
    const { ownId, open } = this.#handled.getStore() ?? {};
    // The id can be another request's by now.
    return open?.stream === undefined || open.answered || this.get(ownId) !== open ? undefined : ownId;
  }

  delete(ownId: RequestId): void {
    const open = this.#open.get(ownId);
    if (open === undefined) return;
    this.#open.delete(ownId);
    this.#count(open, -1);
  }

  /** Takes all out. */
  clear(): OpenRequest[] {
    const all = [...this.#open.values()];
    this.#open.clear();
    this.#streams.clear();
    return all;
  }

  /**
   * The newest of a client's requests of this id that is not answered yet.
   *
   * @param isMeant Tells by its stream whether it is one of those that are looked for.
   */
  findOfClient(
    requestId: RequestId,
    isMeant: (stream: RequestOutput) => boolean,
  ): (Running & { readonly ownId: RequestId }) | undefined {
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

  /** The client's requests that are being answered on a stream of their own. */
  ofClient(): Running[] {
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
