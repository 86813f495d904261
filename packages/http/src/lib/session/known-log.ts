import { seqOf } from '../stream/stream-ids.ts';

/** How many events may be known after the first unknown one. */
const MAX_BEYOND = 1_000;

/**
 * The part of a session's log that a node knows: the events that it appended itself and those that
 * it read. If no other node appended anything, nothing has to be read to know that nothing was
 * forwarded.
 */
export class KnownLog {
  #through: number;
  readonly #beyond = new Set<number>();

  /** @param through Number of the last event of the part that is known at first. */
  constructor(through: number) {
    this.#through = through;
  }

  /** Whether all events up to this number are known. */
  covers(seq: number): boolean {
    return seq <= this.#through;
  }

  /** Notes that all events up to this number were read. */
  readThrough(seq: number): void {
    this.#through = Math.max(this.#through, seq);
    for (const each of this.#beyond) if (each <= this.#through) this.#beyond.delete(each);
    this.#join();
  }

  /** Notes that this node appended an event. */
  appended(eventId: string): void {
    const seq = seqOf(eventId);
    if (seq <= this.#through) return;
    // Forgetting the events costs one read.
    if (this.#beyond.size >= MAX_BEYOND) this.#beyond.clear();
    this.#beyond.add(seq);
    this.#join();
  }

  #join(): void {
    while (this.#beyond.delete(this.#through + 1)) this.#through++;
  }
}
