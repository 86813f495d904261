/** Most sessions of one generation. Two generations of this size take some 20 MB. */
const MAX_GENERATION = 100_000;

/**
 * Remembers when each session was last looked at. Entries expire by generations, so any number of
 * sessions in turn do not push each other out, and entries older than the interval take no room.
 */
export class Looks {
  readonly #everyMs: number;
  #young = new Map<string, number>();
  #old = new Map<string, number>();
  #turnAt = Number.NEGATIVE_INFINITY;

  constructor(everyMs: number) {
    this.#everyMs = everyMs;
  }

  /**
   * Whether the last look is older than the interval, or forgotten, which costs a needless look. If
   * so, this counts as a look.
   */
  isDue(sessionId: string, now: number): boolean {
    const seenAt = this.#young.get(sessionId) ?? this.#old.get(sessionId);
    if (seenAt !== undefined && now - seenAt < this.#everyMs) return false;
    if (now >= this.#turnAt || this.#young.size >= MAX_GENERATION) {
      this.#old = this.#young;
      this.#young = new Map();
      this.#turnAt = now + this.#everyMs;
    }
    this.#young.set(sessionId, now);
    return true;
  }

  forget(sessionId: string): void {
    this.#young.delete(sessionId);
    this.#old.delete(sessionId);
  }
}
