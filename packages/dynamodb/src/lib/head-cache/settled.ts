/**
 * Maximum number of blocks that are remembered while an earlier event is not known to be visible.
 */
const MAX_BLOCKS = 16;

/**
 * The events of a log that every read can see, as far as this process knows: it has read them, or
 * their append was acknowledged.
 *
 * The items of a transaction become visible one after another, in no order, and the session's last
 * number does not show which of them are visible
 * (docs.aws.amazon.com/amazondynamodb/latest/developerguide/transaction-apis.html, "Isolation
 * levels").
 */
export class Settled {
  #through = 0;
  readonly #blocks: { readonly first: number; readonly last: number }[] = [];

  /** All events up to this number are visible, or were removed. */
  get through(): number {
    return this.#through;
  }

  /** Adds the numbers of visible events. */
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
