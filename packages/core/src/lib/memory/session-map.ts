/**
 * Sessions by id, and their ids in order. A walk over all pages of a listing sorts once and not for
 * each page, as long as no session is removed and each new id is the greatest, as generated ones
 * are.
 */
export class SessionMap<Session> extends Map<string, Session> {
  /** `undefined`: must be sorted anew. */
  #sorted: string[] | undefined;

  override set(id: string, session: Session): this {
    if (this.#sorted !== undefined) {
      if (id > (this.#sorted.at(-1) ?? '')) this.#sorted.push(id);
      else this.#sorted = undefined;
    }
    return super.set(id, session);
  }

  override delete(id: string): boolean {
    this.#sorted = undefined;
    return super.delete(id);
  }

  /** The sessions after an id, in the byte order of their ids, which are ASCII. */
  *after(id: string | undefined): Generator<Session, void, undefined> {
    // Code units, not localeCompare.
    this.#sorted ??= [...this.keys()].toSorted((one, other) => (one < other ? -1 : 1));
    const sorted = this.#sorted;
    for (let index = id === undefined ? 0 : placeAfter(sorted, id); index < sorted.length; index++) {
      const session = this.get(sorted[index] ?? '');
      if (session !== undefined) yield session;
    }
  }
}

/** Index of the first id that is greater, by binary search. */
function placeAfter(sorted: readonly string[], id: string): number {
  let low = 0;
  for (let high = sorted.length; low < high;) {
    const middle = (low + high) >>> 1;
    if ((sorted[middle] ?? '') > id) high = middle;
    else low = middle + 1;
  }
  return low;
}
