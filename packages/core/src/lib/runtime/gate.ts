import { SessionError } from '../errors.ts';
import { RequestContext } from './request-context.ts';

/**
 * Refuses work after `close`, and lets `close` wait for the work that began before.
 *
 * A call to the backend is a piece of work, and so is a method that makes several calls.
 */
export class Gate {
  readonly #context = new RequestContext();
  #inProgress = 0;
  #closed = false;
  #onIdle: (() => void) | undefined;

  get closed(): boolean {
    return this.#closed;
  }

  /**
   * @throws SessionError `STORE_CLOSED`
   * @throws TypeError on Cloudflare Workers, in another request than the one that opened the store.
   */
  checkOpen(): void {
    this.#context.check();
    if (this.#closed) throw new SessionError('STORE_CLOSED', 'Session store is closed');
  }

  /**
   * Begins a piece of work that `close` waits for, until {@link end}.
   *
   * @throws SessionError `STORE_CLOSED`
   */
  begin(): void {
    this.checkOpen();
    this.#inProgress++;
  }

  /** Begins a piece of work as a part of work that has begun already. Never refuses. */
  beginPart(): void {
    this.#inProgress++;
  }

  end(): void {
    this.#inProgress--;
    if (this.#inProgress === 0) this.#onIdle?.();
  }

  /**
   * Runs a piece of work.
   *
   * @throws SessionError `STORE_CLOSED`
   */
  async run<T>(work: () => Promise<T>): Promise<T> {
    this.begin();
    try {
      return await work();
    } finally {
      this.end();
    }
  }

  /** Refuses all further work and resolves when none is in progress. */
  async close(): Promise<void> {
    this.#closed = true;
    if (this.#inProgress > 0) await new Promise<void>((resolve) => (this.#onIdle = resolve));
  }
}
