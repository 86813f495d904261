import type { RequestId } from '../protocol/json-rpc.ts';

/**
 * Which requests of a stream are settled as far as one of its connections knows. It ends with the last one, whichever way it came to know of it: what could not be
 * stored is not in the log.
 */
export class Settlement {
  readonly #requests: number;
  readonly #settled: Set<RequestId>;

  /**
   * @param requests How many requests the stream answers.
   * @param settled Those that were settled before the connection was opened.
   */
  constructor(requests: number, settled: Iterable<RequestId> = []) {
    this.#requests = requests;
    this.#settled = new Set(settled);
  }

  has(id: RequestId): boolean {
    return this.#settled.has(id);
  }

  /** @returns Whether all are settled now. */
  add(id: RequestId): boolean {
    return this.#settled.add(id).size >= this.#requests;
  }
}
