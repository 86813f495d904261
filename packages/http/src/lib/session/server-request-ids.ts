import {
  isCancellation,
  isRequest,
  isRequestId,
  type JsonRpcNotification,
  type JsonRpcRequest,
  type JsonRpcResponse,
  type RequestId,
} from '../protocol/json-rpc.ts';
import { requestStreamId } from '../stream/stream-ids.ts';

const WIRE_ID = /^([0-9a-f]{16})\.[0-9a-f]{12}\.[1-9][0-9]*$/;

/** The node whose server sent a request with this id; `undefined`: no server did. */
export function nodeOfId(wireId: unknown): string | undefined {
  return typeof wireId === 'string' ? WIRE_ID.exec(wireId)?.[1] : undefined;
}

/** A server request that waits for its response. */
interface ServerRequest {
  readonly ownId: RequestId;
  /**
   * The client request for which it was made, by the server's id; `undefined`: it was made for
   * none.
   */
  readonly callId: RequestId | undefined;
}

/**
 * Gives the requests of a server ids that no other server instance uses, on any node and after any
 * restart. It also names the streams of its client's POSTs.
 *
 * Both SDK lines count from 0 in each instance. Two instances of one session would both send a
 * request 0, and one would take the response meant for the other. Progress tokens are the same
 * numbers.
 */
export class ServerRequestIds {
  readonly #nodeId: string;
  // Random, since a number would tell clients how many sessions and calls of others there are.
  readonly #instance: string = Buffer.from(crypto.getRandomValues(new Uint8Array(6))).toString('hex');
  readonly #byWireId = new Map<string, ServerRequest>();
  readonly #byOwnId = new Map<RequestId, string>();
  #requestCount = 0;
  #streamCount = 0;

  /** @param nodeId The node: 16 hexadecimal digits. */
  constructor(nodeId: string) {
    this.#nodeId = nodeId;
  }

  /**
   * A name for the stream of a POST that no other POST of the session has.
   *
   * @param scopes The scopes of the client's token.
   */
  nextStream(requestIds: readonly RequestId[], scopes: readonly string[]): string {
    const name = `${this.#instance}${(++this.#streamCount).toString(36)}`;
    return requestStreamId(requestIds, this.#nodeId, name, scopes);
  }

  /** How many requests wait for a response. */
  get size(): number {
    return this.#byWireId.size;
  }

  /**
   * Translates a server's message for the client. A request waits for its response from now on; a
   * cancellation ends the wait.
   *
   * @param callId The client request to which the message belongs, by the server's id; `undefined`:
   * none.
   * @returns `undefined` for the cancellation of a request that does not wait any more.
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

  /** Translates a client's response for the server; `undefined`: no request here waits for it. */
  answer(response: JsonRpcResponse): JsonRpcResponse | undefined {
    const ownId = this.ownId(response.id);
    if (ownId === undefined) return undefined;
    this.forget(String(response.id));
    return { ...response, id: ownId };
  }

  /**
   * The server's id, and progress token, for the one that the client knows; `undefined`: no request
   * here waits.
   */
  ownId(wireId: unknown): RequestId | undefined {
    return typeof wireId === 'string' ? this.#byWireId.get(wireId)?.ownId : undefined;
  }

  /**
   * The client request to which a message belongs that does not name one
   * (docs/decisions/032-what-a-restored-server-says.md): a server request belongs to the request
   * whose handler sends it, and its cancellation belongs to the same one.
   *
   * @param handled The client request whose handler sends the message.
   */
  callOf(message: JsonRpcRequest | JsonRpcNotification, handled: RequestId | undefined): RequestId | undefined {
    if (isRequest(message)) return handled;
    const ownId = isCancellation(message) ? message.params?.['requestId'] : undefined;
    return isRequestId(ownId) ? this.#byWireId.get(this.#byOwnId.get(ownId) ?? '')?.callId : undefined;
  }

  /**
   * Ends the wait for everything that was sent for a client request.
   *
   * @returns The ids, as server and client know them.
   */
  forgetAskedFor(callId: RequestId): { readonly ownId: RequestId; readonly wireId: string }[] {
    const asked = [...this.#byWireId].flatMap(([wireId, each]) =>
      each.callId === callId ? [{ ownId: each.ownId, wireId }] : [],
    );
    for (const { wireId } of asked) this.forget(wireId);
    return asked;
  }

  /** Ends the wait for a response. */
  forget(wireId: string): void {
    const ownId = this.ownId(wireId);
    this.#byWireId.delete(wireId);
    if (ownId !== undefined) this.#byOwnId.delete(ownId);
  }

  #request(request: JsonRpcRequest, callId: RequestId | undefined): JsonRpcRequest {
    const wireId = `${this.#nodeId}.${this.#instance}.${++this.#requestCount}`;
    this.#byWireId.set(wireId, { ownId: request.id, callId });
    this.#byOwnId.set(request.id, wireId);
    const meta = request.params?.['_meta'];
    if (typeof meta !== 'object' || meta === null || !('progressToken' in meta)) return { ...request, id: wireId };
    return { ...request, id: wireId, params: { ...request.params, _meta: { ...meta, progressToken: wireId } } };
  }
}
