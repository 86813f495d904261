/** Lets pieces of work go one after the other where they have the same name, and at the same time where they have not. */
export class Serial {
  readonly #waiting = new Map<string, (() => void)[]>();

  /** @returns Resolves when all that entered before under this name have left; `undefined` where nobody has: then there is nothing to wait for. */
  enter(name: string): Promise<void> | undefined {
    const line = this.#waiting.get(name);
    if (line !== undefined) return new Promise((resolve) => line.push(resolve));
    this.#waiting.set(name, []);
    return undefined;
  }

  leave(name: string): void {
    const next = this.#waiting.get(name)?.shift();
    if (next === undefined) this.#waiting.delete(name);
    else next();
  }
}
