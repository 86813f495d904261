/**
 * A promise whose failure is reported if nobody awaits it. Node.js would end the process for it:
 * one `task.status()` without an `await` would end the whole server.
 */
class AwaitedOrReported<T> extends Promise<T> {
  #isAwaited = false;

  /** `then` and the like return plain promises. */
  static override get [Symbol.species](): PromiseConstructor {
    return Promise;
  }

  // Also called by `await`, since the class is not that of plain promises.
  override then<A = T, B = never>(
    onResolved?: ((value: T) => A | PromiseLike<A>) | null,
    onRejected?: ((error: unknown) => B | PromiseLike<B>) | null,
  ): Promise<A | B> {
    this.#isAwaited = true;
    return super.then(onResolved, onRejected);
  }

  /** @param report Called when it has failed, and nobody has begun to await it by then. */
  watch(report: (error: unknown) => void): this {
    const onRejected = (error: unknown): void => {
      setImmediate(() => {
        if (!this.#isAwaited) report(error);
      });
    };
    void super.then(undefined, onRejected);
    return this;
  }
}

/** The same promise for the caller that awaits it. If nobody does, a failure goes to `report`. */
export function awaitedOrReported<T>(work: Promise<T>, report: (error: unknown) => void): Promise<T> {
  return new AwaitedOrReported<T>((resolve) => {
    resolve(work);
  }).watch(report);
}
