import type { EventPage, EventQuery } from '@mcp-session/core/backend';
import { readNumber, readText, type Item } from '../items.ts';
import { parseStreamSeq, type Head } from '../schema.ts';
import { take, type StoredEvent } from './log.ts';
import type { Known } from '../head-cache.ts';

/** What a page says besides its events, as it was read after them. */
export interface Surroundings {
  readonly head: Head;
  readonly known: Known;
  /** What was trimmed of the stream. */
  readonly trim: Item | undefined;
  /** The event that the page begins after. */
  readonly cursor: Item | undefined;
}

/** How much more is wanted. */
export interface Room {
  readonly limit: number;
  readonly maxBytes: number;
}

/** The greatest number that was trimmed of a stream. */
export function trimmedOf({ head, trim }: Surroundings): number {
  return (trim && readNumber(trim, 'seq')) ?? head.forgottenSeq;
}

/** A page that grows event by event. */
export class PageBuilder {
  /** All events up to this number are gone although nobody trimmed them. */
  gap = 0;
  readonly #query: EventQuery;
  readonly #events: StoredEvent[];
  #bytes: number;
  #newest = 0;

  constructor(query: EventQuery, events: readonly StoredEvent[]) {
    this.#query = query;
    this.#events = [...events];
    this.#bytes = events.reduce((sum, { bytes }) => sum + bytes, 0);
  }

  /** Whether it holds an event. */
  get found(): boolean {
    return this.#events.length > 0;
  }

  get room(): Room {
    return { limit: this.#query.limit - this.#events.length, maxBytes: this.#query.maxBytes - this.#bytes };
  }

  /** @returns Whether there was room for the event, or no need of it. */
  add(event: StoredEvent): boolean {
    const { streamId, afterSeq } = this.#query;
    if (streamId === undefined || streamId === event.streamId) {
      const { limit, maxBytes } = this.room;
      // The newest are not counted before all are there.
      if (afterSeq !== undefined && this.found && (limit < 1 || maxBytes < event.bytes)) return false;
      this.#events.push(event);
      this.#bytes += event.bytes;
    }
    this.#newest = event.seq;
    return true;
  }

  /**
   * @param seenSeq All events up to it were looked at.
   * @param more Whether there may be more for this page after it.
   */
  build(around: Surroundings, seenSeq: number, more: boolean): EventPage {
    const { head, known, cursor } = around;
    const { streamId, afterSeq, limit, maxBytes } = this.#query;
    const events = this.#events.filter(({ gen, seq }) => gen === head.gen && seq > head.trimmedSeq);
    const at = cursor && parseStreamSeq(readText(cursor, 'streamSeq') ?? '');
    // Events can be seen before the head that counts them.
    const newest = Math.max(head.lastSeq, this.#newest, known.settled.through);
    return {
      events: take(events, afterSeq !== undefined, limit, maxBytes).map(
        ({ seq, streamId: stream, message, createdAt }) => ({
          seq,
          streamId: stream,
          message,
          createdAt,
        }),
      ),
      more,
      lastSeq: more ? newest : Math.min(seenSeq, newest),
      trimmedSeq: streamId === undefined ? Math.max(head.trimmedSeq, this.gap) : trimmedOf(around),
      afterStreamId: at !== undefined && at.seq > head.trimmedSeq ? at.streamId : undefined,
    };
  }
}
