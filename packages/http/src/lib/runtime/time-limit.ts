/** Limits how long several steps may take together. */
export class TimeLimit {
  readonly #expired: Promise<never>;
  readonly #timer: NodeJS.Timeout;

  /** @param error Makes the error that is thrown when the time is up. */
  constructor(ms: number, error: () => Error) {
    const { promise, reject } = Promise.withResolvers<never>();
    this.#expired = promise;
    // The time may be up while no step runs.
    promise.catch(() => undefined);
    this.#timer = setTimeout(() => reject(error()), ms);
  }

  /**
   * Resolves with the result of a step. Rejects if the time is up before; the step itself
   * continues.
   */
  within<T>(step: Promise<T>): Promise<T> {
    return Promise.race([step, this.#expired]);
  }

  /** Stops the clock after the last step. */
  end(): void {
    clearTimeout(this.#timer);
  }
}
