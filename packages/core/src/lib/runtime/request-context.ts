/** What `navigator.userAgent` is on Cloudflare Workers, in production and in workerd. */
const WORKERS = 'Cloudflare-Workers';
const REMEDY = 'on Cloudflare Workers, keep the store and the handler in a Durable Object';

/**
 * The request in which a store was opened, on Cloudflare Workers. There, code that waits for a
 * timer, a connection or a promise of another request waits forever. The requests of one Durable
 * Object count as one. Other runtimes have no such rule, and `check` does nothing there.
 */
export class RequestContext {
  /** A signal belongs to the request that made it: reading it in another request throws. */
  readonly #signal: AbortSignal | undefined;

  /** @throws TypeError at the top level of a Worker. */
  constructor(userAgent: string | undefined = globalThis.navigator?.userAgent) {
    if (userAgent !== WORKERS) return;
    try {
      this.#signal = new AbortController().signal;
    } catch (cause) {
      throw new TypeError(`Session store is opened outside of a request; ${REMEDY}`, { cause });
    }
  }

  /** @throws TypeError in another request. */
  check(): void {
    try {
      this.#signal?.throwIfAborted();
    } catch (cause) {
      throw new TypeError(`Session store was opened in another request; ${REMEDY}`, { cause });
    }
  }
}
