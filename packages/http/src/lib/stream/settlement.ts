import type { RequestId } from '../protocol/json-rpc.ts';

/**
 * The requests of a stream that one connection knows to be settled. The connection ends with the
 * last one, whether it was read from the log or pushed because it could not be stored.
 */
export class Settlement {
  readonly #requestCount: number;
  readonly #settled: Set<RequestId>;

  /**
   * @param requestCount How many requests the stream answers.
   * @param settled The requests that were settled before the connection was opened.
   */
  constructor(requestCount: number, settled: Iterable<RequestId> = []) {
    this.#requestCount = requestCount;
    this.#settled = new Set(settled);
  }

  has(id: RequestId): boolean {
    return this.#settled.has(id);
  }

  /** @returns Whether all requests are settled now. */
  add(id: RequestId): boolean {
    return this.#settled.add(id).size >= this.#requestCount;
  }
}
