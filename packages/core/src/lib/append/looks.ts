/** Maximum number of sessions in each of the two maps. Two full maps take some 20 MB. */
const MAX_GENERATION = 100_000;

/**
 * Remembers when each session was last checked, in two maps. The older map is dropped after each
 * interval, or sooner if the younger one is full. So `MAX_GENERATION` sessions do not push each
 * other out, and old entries go soon.
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
   * True if the last look was at least one interval ago, or is no longer remembered. Then this call
   * counts as the look.
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
