import {
  isRequestId,
  type JsonRpcMessage,
  type JsonRpcResponse,
  isRequest,
  isResponse,
  type RequestId,
} from './json-rpc.ts';

const WIRE_ID = /^([0-9a-f]{16})\.[1-9][0-9]*\.[1-9][0-9]*$/;

/** The node whose server gave a request this id; `undefined`: none did. */
export function nodeOfId(wireId: unknown): string | undefined {
  return typeof wireId === 'string' ? WIRE_ID.exec(wireId)?.[1] : undefined;
}

/**
 * Gives the requests that a server sends ids that no other server instance uses, on any node and after any restart.
 *
 * Both SDK lines count from 0 in each instance, so that two instances of one session would both send a request 0 and one would take the
 * answer meant for the other. Progress tokens are the same numbers.
 */
export class OutgoingIds {
  readonly #instance: string;
  readonly #byWireId = new Map<string, RequestId>();
  readonly #byOwnId = new Map<RequestId, string>();
  #count = 0;

  /**
   * @param nodeId The node: 16 hexadecimal digits.
   * @param instance The number of the server instance on that node.
   */
  constructor(nodeId: string, instance: number) {
    this.#instance = `${nodeId}.${instance}`;
  }

  /** How many requests still wait for an answer. */
  get size(): number {
    return this.#byWireId.size;
  }

  /** The message as it goes to the client. */
  outgoing(message: JsonRpcMessage): JsonRpcMessage {
    if (isResponse(message)) return message;
    if (isRequest(message)) return this.#request(message);
    if (message.method !== 'notifications/cancelled') return message;
    const ownId = message.params?.['requestId'];
    const wireId = isRequestId(ownId) ? this.#byOwnId.get(ownId) : undefined;
    if (wireId === undefined) return message;
    this.#forget(wireId);
    return { ...message, params: { ...message.params, requestId: wireId } };
  }

  /** The client's response as the server knows it; `undefined`: nothing here waits for it. */
  answer(response: JsonRpcResponse): JsonRpcResponse | undefined {
    const ownId = typeof response.id === 'string' ? this.#byWireId.get(response.id) : undefined;
    if (ownId === undefined) return undefined;
    this.#forget(String(response.id));
    return { ...response, id: ownId };
  }

  /** The progress token that the server chose, for one that the client sends; `undefined`: nothing here waits for it. */
  progressToken(token: unknown): RequestId | undefined {
    return typeof token === 'string' ? this.#byWireId.get(token) : undefined;
  }

  #request(
    request: JsonRpcMessage & {
      readonly id: RequestId;
      readonly params?: Readonly<Record<string, unknown>> | undefined;
    },
  ): JsonRpcMessage {
    const wireId = `${this.#instance}.${++this.#count}`;
    this.#byWireId.set(wireId, request.id);
    this.#byOwnId.set(request.id, wireId);
    const meta = request.params?.['_meta'];
    if (typeof meta !== 'object' || meta === null || !('progressToken' in meta)) return { ...request, id: wireId };
    return { ...request, id: wireId, params: { ...request.params, _meta: { ...meta, progressToken: wireId } } };
  }

  #forget(wireId: string): void {
    const ownId = this.#byWireId.get(wireId);
    this.#byWireId.delete(wireId);
    if (ownId !== undefined) this.#byOwnId.delete(ownId);
  }
}
