/** Sessions of one generation at the most: 200,000 of both are some 20 MB. */
const MAX_GENERATION = 100_000;

/**
 * Remembers for a while when each session was looked at. What is remembered goes by generations, so that sessions of any number that come in turn do not push
 * out each other, and what is older than the time asked for needs no place.
 */
export class Looks {
  readonly #everyMs: number;
  #young = new Map<string, number>();
  #old = new Map<string, number>();
  #turnAt = Number.NEGATIVE_INFINITY;

  constructor(everyMs: number) {
    this.#everyMs = everyMs;
  }

  /** Whether the last look is that long ago, or forgotten, which costs a needless look. If so, this is one. */
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
