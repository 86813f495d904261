import { SessionError } from '../errors.ts';
import type { TailOptions } from '../options/event-options.ts';
import { readPages } from './read-pages.ts';
import type { EventRow } from '../contract/rows.ts';
import type { SessionContext } from '../session/context.ts';
import type { WakeUp } from '../wake-ups/wake-ups.ts';

/**
 * Yields the stored events and those that follow. Unlike a plain generator, its `return` does not
 * wait for the event that a pending `next` waits for.
 */
export class EventTail<T> implements AsyncGenerator<T, void, undefined> {
  readonly #session: SessionContext;
  readonly #events: AsyncGenerator<T, void, undefined>;
  /** Undefined until the first `next`. */
  #wakeUp: WakeUp | undefined;
  #stopped = false;

  constructor(session: SessionContext, tag: string, options: TailOptions, toEvent: (row: EventRow) => T) {
    this.#session = session;
    this.#events = this.#follow(tag, options, toEvent);
  }

  next(): Promise<IteratorResult<T, void>> {
    return this.#events.next();
  }

  return(): Promise<IteratorResult<T, void>> {
    this.#stop();
    return this.#events.return();
  }

  throw(error: unknown): Promise<IteratorResult<T, void>> {
    this.#stop();
    return this.#events.throw(error);
  }

  [Symbol.asyncIterator](): this {
    return this;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.return();
  }

  #stop(): void {
    this.#stopped = true;
    this.#wakeUp?.stop();
  }

  async *#follow(
    tag: string,
    { signal, onCaughtUp, ...options }: TailOptions,
    toEvent: (row: EventRow) => T,
  ): AsyncGenerator<T, void, undefined> {
    const { gate, wakeUps } = this.#session.shared;
    // A tail ends quietly when the store closes, but starting one afterwards is a mistake.
    gate.checkOpen();
    const wakeUp = wakeUps.register(this.#session.id);
    this.#wakeUp = wakeUp;
    const over = (): boolean => this.#stopped || signal?.aborted === true;
    try {
      for await (const page of readPages(this.#session, tag, options, true)) {
        for (const row of page.events) {
          if (over()) return;
          yield toEvent(row);
        }
        if (!page.more && !over()) {
          onCaughtUp?.();
          await wakeUp.wait(page.lastSeq, signal);
        }
        if (over() || gate.closed) return;
      }
    } catch (error) {
      const ended =
        error instanceof SessionError && (error.code === 'SESSION_NOT_FOUND' || error.code === 'STORE_CLOSED');
      if (!ended) throw error;
    } finally {
      wakeUp.dispose();
    }
  }
}
