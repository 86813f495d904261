/** A map by id that also gives its values in the order of the ids. */
export class SortedMap<Value> extends Map<string, Value> {
  /** All ids in order, and some that were removed. */
  #ids: string[] = [];

  override set(id: string, value: Value): this {
    const place = placeAfter(this.#ids, id);
    if (this.#ids[place - 1] !== id) this.#ids.splice(place, 0, id);
    return super.set(id, value);
  }

  /** Leaves the id in its place, until half of the ids are removed ones. */
  override delete(id: string): boolean {
    const existed = super.delete(id);
    if (this.#ids.length > 2 * this.size) this.#ids = this.#ids.filter((each) => this.has(each));
    return existed;
  }

  /** The values after an id, in the byte order of their ids, which are ASCII. */
  *after(id: string | undefined): Generator<Value, void, undefined> {
    for (let index = id === undefined ? 0 : placeAfter(this.#ids, id); index < this.#ids.length; index++) {
      const value = this.get(this.#ids[index] ?? '');
      if (value !== undefined) yield value;
    }
  }
}

/** Index of the first id that is greater, by binary search in the order of code units. */
function placeAfter(sorted: readonly string[], id: string): number {
  let low = 0;
  for (let high = sorted.length; low < high;) {
    const middle = (low + high) >>> 1;
    if ((sorted[middle] ?? '') > id) high = middle;
    else low = middle + 1;
  }
  return low;
}
