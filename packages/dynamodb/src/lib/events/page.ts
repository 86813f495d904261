import type { EventPage, EventQuery, EventRow } from '@mcp-session/core/backend';
import { readNumber, readText, type Item } from '../items.ts';
import { parseStreamSeq } from '../schema.ts';
import { takeEvents, type StoredEvent } from './log.ts';
import type { Known } from '../head-cache.ts';
import type { Head } from '../head.ts';

/** The facts of a page besides its events. They are read after the events. */
export interface Surroundings {
  readonly head: Head;
  readonly known: Known;
  /** The trim of the stream. */
  readonly trim: Item | undefined;
  /** The event after which the page begins. */
  readonly cursor: Item | undefined;
}

/** The room that is left in a page. */
export interface Room {
  readonly limit: number;
  readonly maxBytes: number;
}

/** The greatest trimmed number of the stream. */
export function trimmedOf({ head, trim }: Surroundings): number {
  return (trim && readNumber(trim, 'seq')) ?? head.forgottenSeq;
}

/** A page that grows event by event. */
export class PageBuilder {
  /** All events up to this number are gone, although no trim removed them. */
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

  /** True if the page has an event. */
  get found(): boolean {
    return this.#events.length > 0;
  }

  get room(): Room {
    return { limit: this.#query.limit - this.#events.length, maxBytes: this.#query.maxBytes - this.#bytes };
  }

  /** @returns False if the event belongs on the page but has no room. */
  add(event: StoredEvent): boolean {
    const { streamId, afterSeq } = this.#query;
    if (streamId === undefined || streamId === event.streamId) {
      const { limit, maxBytes } = this.room;
      // A page of the newest events is cut only when all have been read.
      if (afterSeq !== undefined && this.found && (limit < 1 || maxBytes < event.bytes)) return false;
      this.#events.push(event);
      this.#bytes += event.bytes;
    }
    this.#newest = event.seq;
    return true;
  }

  /**
   * @param seenSeq All events up to this number were read.
   * @param more True if there may be more events for this page.
   */
  build(around: Surroundings, seenSeq: number, more: boolean): EventPage {
    const { head, known, cursor } = around;
    const { streamId, afterSeq } = this.#query;
    const events = this.#events.filter(({ gen, seq }) => gen === head.gen && seq > head.trimmedSeq);
    const at = cursor && parseStreamSeq(readText(cursor, 'streamSeq') ?? '');
    // An event can be visible before the head that counts it.
    const newest = Math.max(head.lastSeq, this.#newest, known.settled.through);
    return {
      events: takeEvents(events, afterSeq !== undefined, this.#query).map(toRow),
      more,
      lastSeq: more ? newest : Math.min(seenSeq, newest),
      trimmedSeq: streamId === undefined ? Math.max(head.trimmedSeq, this.gap) : trimmedOf(around),
      afterStreamId: at !== undefined && at.seq > head.trimmedSeq ? at.streamId : undefined,
    };
  }
}

function toRow({ seq, streamId, message, createdAt }: StoredEvent): EventRow {
  return { seq, streamId, message, createdAt };
}
