/**
 * Runs pieces of work under the same key one after another, and under different keys at the same
 * time.
 */
export class KeyedLock {
  readonly #last = new Map<string, Promise<unknown>>();

  /**
   * Runs `work` once all earlier work under this key has ended, successfully or not. Starts it at
   * once if there is none.
   *
   * @returns What `work` returns.
   */
  async run<T>(key: string, work: () => Promise<T>): Promise<T> {
    const before = this.#last.get(key);
    const own = before === undefined ? work() : before.then(work, work);
    this.#last.set(key, own);
    try {
      return await own;
    } finally {
      if (this.#last.get(key) === own) this.#last.delete(key);
    }
  }
}
