import {
  isCancellation,
  isRequest,
  isRequestId,
  type JsonRpcNotification,
  type JsonRpcRequest,
  type JsonRpcResponse,
  type RequestId,
} from '../protocol/json-rpc.ts';
import { requestStream } from '../stream/stream-ids.ts';

const WIRE_ID = /^([0-9a-f]{16})\.[0-9a-f]{12}\.[1-9][0-9]*$/;

/** The node whose server gave a request this id; `undefined`: none did. */
export function nodeOfId(wireId: unknown): string | undefined {
  return typeof wireId === 'string' ? WIRE_ID.exec(wireId)?.[1] : undefined;
}

/** A request of the server's that waits for its answer. */
interface Asked {
  readonly ownId: RequestId;
  /** The client's request for which it was made, by the id under which the server knows that; `undefined`: for none. */
  readonly callId: RequestId | undefined;
}

/**
 * Gives the requests that a server sends ids that no other server instance uses, on any node and after any restart; and names to the streams of its client's POSTs.
 *
 * Both SDK lines count from 0 in each instance, so that two instances of one session would both send a request 0 and one would take the
 * answer meant for the other. Progress tokens are the same numbers.
 */
export class ServerRequestIds {
  readonly #nodeId: string;
  // It names this server among those of its session on the node. Numbers would tell clients how many sessions and calls of others there are.
  readonly #instance: string = Buffer.from(crypto.getRandomValues(new Uint8Array(6))).toString('hex');
  readonly #byWireId = new Map<string, Asked>();
  readonly #byOwnId = new Map<RequestId, string>();
  #count = 0;
  #streams = 0;

  /** @param nodeId The node: 16 hexadecimal digits. */
  constructor(nodeId: string) {
    this.#nodeId = nodeId;
  }

  /** The stream of a POST, which no other POST of the session has. */
  nextStream(requests: number): string {
    return requestStream(requests, this.#nodeId, `${this.#instance}${(++this.#streams).toString(36)}`).streamId;
  }

  /** How many requests still wait for an answer. */
  get size(): number {
    return this.#byWireId.size;
  }

  /**
   * The message as it goes to the client. A request waits for its answer from now on, and one that is cancelled does not any more.
   *
   * @param callId The client's request to which it belongs, as the server knows it; `undefined`: to none.
   * @returns `undefined` where there is nothing to say: what is cancelled waits no longer.
   */
  outgoing(
    message: JsonRpcRequest | JsonRpcNotification,
    callId?: RequestId,
  ): JsonRpcRequest | JsonRpcNotification | undefined {
    if (isRequest(message)) return this.#request(message, callId);
    if (!isCancellation(message)) return message;
    const ownId = message.params?.['requestId'];
    const wireId = isRequestId(ownId) ? this.#byOwnId.get(ownId) : undefined;
    if (wireId === undefined) return undefined;
    this.forget(wireId);
    return { ...message, params: { ...message.params, requestId: wireId } };
  }

  /** The client's response as the server knows it; `undefined`: nothing here waits for it. */
  answer(response: JsonRpcResponse): JsonRpcResponse | undefined {
    const ownId = this.ownId(response.id);
    if (ownId === undefined) return undefined;
    this.forget(String(response.id));
    return { ...response, id: ownId };
  }

  /** The id, and progress token, that the server chose, for one that the client sends; `undefined`: nothing here waits for it. */
  ownId(wireId: unknown): RequestId | undefined {
    return typeof wireId === 'string' ? this.#byWireId.get(wireId)?.ownId : undefined;
  }

  /**
   * The client's request to which a message belongs that does not name it (docs/decisions/035-where-a-handler-asks.md): a question to the one whose
   * handler asks it, and its cancellation to the same.
   *
   * @param handled The client's request whose handler sends the message.
   */
  callOf(message: JsonRpcRequest | JsonRpcNotification, handled: RequestId | undefined): RequestId | undefined {
    if (isRequest(message)) return handled;
    const ownId = isCancellation(message) ? message.params?.['requestId'] : undefined;
    return isRequestId(ownId) ? this.#byWireId.get(this.#byOwnId.get(ownId) ?? '')?.callId : undefined;
  }

  /** Waits no longer for what was asked for one of the client's requests. @returns The ids of it, the server's own and the client's. */
  forgetAskedFor(callId: RequestId): { readonly ownId: RequestId; readonly wireId: string }[] {
    const asked = [...this.#byWireId].flatMap(([wireId, each]) =>
      each.callId === callId ? [{ ownId: each.ownId, wireId }] : [],
    );
    for (const { wireId } of asked) this.forget(wireId);
    return asked;
  }

  /** Waits no longer for the answer to a request. */
  forget(wireId: string): void {
    const ownId = this.ownId(wireId);
    this.#byWireId.delete(wireId);
    if (ownId !== undefined) this.#byOwnId.delete(ownId);
  }

  #request(request: JsonRpcRequest, callId: RequestId | undefined): JsonRpcRequest {
    const wireId = `${this.#nodeId}.${this.#instance}.${++this.#count}`;
    this.#byWireId.set(wireId, { ownId: request.id, callId });
    this.#byOwnId.set(request.id, wireId);
    const meta = request.params?.['_meta'];
    if (typeof meta !== 'object' || meta === null || !('progressToken' in meta)) return { ...request, id: wireId };
    return { ...request, id: wireId, params: { ...request.params, _meta: { ...meta, progressToken: wireId } } };
  }
}
