import type { EventRow } from '../contract/rows.ts';

/**
 * Gives the events of pages one by one. It does what a generator over them would, but what a page holds it gives at once: a generator waits for each value
 * that it yields, and over a thousand events that takes as long as reading them.
 */
export class EventReplay<T> implements AsyncGenerator<T, void, undefined> {
  readonly #pages: AsyncGenerator<readonly EventRow[], void, undefined>;
  readonly #toEvent: (row: EventRow) => T;
  #rows: readonly EventRow[] = [];
  #next = 0;
  /** The last of the calls that had to wait; `undefined`: all are answered. */
  #waiting: Promise<unknown> | undefined;

  constructor(pages: AsyncGenerator<readonly EventRow[], void, undefined>, toEvent: (row: EventRow) => T) {
    this.#pages = pages;
    this.#toEvent = toEvent;
  }

  next(): Promise<IteratorResult<T, void>> {
    const row = this.#waiting === undefined ? this.#rows[this.#next] : undefined;
    if (row === undefined) return this.#inTurn(() => this.#advance());
    this.#next++;
    try {
      return Promise.resolve({ done: false, value: this.#toEvent(row) });
    } catch (error) {
      return this.throw(error);
    }
  }

  return(): Promise<IteratorResult<T, void>> {
    return this.#inTurn(async () => {
      await this.#stop();
      return { done: true, value: undefined };
    });
  }

  throw(error: unknown): Promise<IteratorResult<T, void>> {
    return this.#inTurn(async () => {
      await this.#stop();
      throw error;
    });
  }

  [Symbol.asyncIterator](): this {
    return this;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.return();
  }

  async #advance(): Promise<IteratorResult<T, void>> {
    try {
      for (;;) {
        const row = this.#rows[this.#next++];
        if (row !== undefined) return { done: false, value: this.#toEvent(row) };
        const page = await this.#pages.next();
        if (page.done === true) return page;
        this.#rows = page.value;
        this.#next = 0;
      }
    } catch (error) {
      await this.#stop();
      throw error;
    }
  }

  async #stop(): Promise<void> {
    this.#rows = [];
    await this.#pages.return();
  }

  /** Calls that come while a page is read are answered in their order, as those of a generator are. */
  #inTurn<R>(step: () => Promise<R>): Promise<R> {
    const result = this.#waiting === undefined ? step() : this.#waiting.then(step, step);
    this.#waiting = result;
    const leave = (): void => {
      if (this.#waiting === result) this.#waiting = undefined;
    };
    result.then(leave, leave);
    return result;
  }
}
