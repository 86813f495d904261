/** Limits how long several steps may take together. */
export class TimeLimit {
  readonly #over: Promise<never>;
  readonly #timer: NodeJS.Timeout;

  /** @param error Makes what is thrown when the time is up. */
  constructor(ms: number, error: () => Error) {
    const { promise, reject } = Promise.withResolvers<never>();
    this.#over = promise;
    // Nobody may be waiting when the time is up.
    promise.catch(() => undefined);
    this.#timer = setTimeout(() => reject(error()), ms);
  }

  /** The result of a step, unless the time is up before. The step itself goes on. */
  within<T>(step: Promise<T>): Promise<T> {
    return Promise.race([step, this.#over]);
  }

  /** All steps are done. */
  end(): void {
    clearTimeout(this.#timer);
  }
}
