/** Blocks that are remembered although something before them is not known to be visible. */
const MAX_BLOCKS = 16;

/**
 * Which events of a log every read can see, as far as this process knows: those that it has read, and those whose append was answered.
 *
 * The items of a transaction become visible one after another, and neither the order of the numbers nor the session's newest number says which of them are
 * (docs.aws.amazon.com/amazondynamodb/latest/developerguide/transaction-apis.html, "Isolation levels").
 */
export class Settled {
  #through = 0;
  readonly #blocks: { readonly first: number; readonly last: number }[] = [];

  /** All events up to this number are visible, or were removed. */
  get through(): number {
    return this.#through;
  }

  /** Notes that the events of these numbers are visible. */
  add(first: number, last: number): void {
    if (first > this.#through + 1) {
      this.#blocks.push({ first, last });
      if (this.#blocks.length > MAX_BLOCKS) this.#blocks.shift();
      return;
    }
    this.#through = Math.max(this.#through, last);
    for (let next = this.#blocks[0]; next !== undefined && next.first <= this.#through + 1; next = this.#blocks[0]) {
      this.#through = Math.max(this.#through, next.last);
      this.#blocks.shift();
    }
  }
}
