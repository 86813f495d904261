/** Whether the store took what was written last. */
export class StoreHealth {
  #failing = false;

  get failing(): boolean {
    return this.#failing;
  }

  noteFailure(): void {
    this.#failing = true;
  }

  noteSuccess(): void {
    this.#failing = false;
  }
}
