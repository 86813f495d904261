import { seqOf } from '../stream/stream-ids.ts';

/** How many events may be known that lie beyond one that is not. */
const MAX_BEYOND = 1_000;

/**
 * Up to where a node knows a session's log: what it has appended itself, and what it has looked through. Where nobody else has appended anything, nothing has to be
 * read to know that nobody has left a message.
 */
export class KnownLog {
  #through: number;
  readonly #beyond = new Set<number>();

  /** @param through Number of the last event of the part that is known to begin with. */
  constructor(through: number) {
    this.#through = through;
  }

  /** Whether all events up to this number are known. */
  covers(seq: number): boolean {
    return seq <= this.#through;
  }

  /** All events up to this number are known. */
  lookedThrough(seq: number): void {
    this.#through = Math.max(this.#through, seq);
    for (const each of this.#beyond) if (each <= this.#through) this.#beyond.delete(each);
    this.#join();
  }

  /** This node has appended an event. */
  appended(eventId: string): void {
    const seq = seqOf(eventId);
    if (seq <= this.#through) return;
    // What is forgotten costs one read.
    if (this.#beyond.size >= MAX_BEYOND) this.#beyond.clear();
    this.#beyond.add(seq);
    this.#join();
  }

  #join(): void {
    while (this.#beyond.delete(this.#through + 1)) this.#through++;
  }
}
