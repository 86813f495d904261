import type { EventPage, EventQuery } from '@mcp-session/core/backend';
import type { Connection } from '../connection.ts';
import type { HeadCache, Known } from '../head-cache.ts';
import { isLive, toHead } from '../head.ts';
import { keyOf, readText } from '../items.ts';
import { eventKey, HEAD, headKey, trimKey } from '../schema.ts';
import { isGone } from './gaps.ts';
import { fetchEvents, type Fetched, type StoredEvent } from './log.ts';
import { PageBuilder, trimmedOf, type Room, type Surroundings } from './page.ts';

/** The size of one read of the log if it is unknown how many of its events belong on the page. */
const LOOK: Room = { limit: 1_000, maxBytes: 1_048_576 };

/** So few events of a stream are found in the log itself, without its index. */
const FEW_EVENTS = 10;
/** How often a query of a stream that finds nothing is repeated. */
const EMPTY_REPEATS = 4;

const NOTHING: Fetched = { events: [], more: false };

/**
 * Reads the logs of sessions, page by page.
 *
 * A read can see a part of a transaction: event n + 1 without event n, a last number without its
 * event, an event without its last part, perhaps nothing at all. So everything after the settled
 * events is read from the log itself, up to its first hole. Only settled events of a stream are
 * read by its index. A hole that stays is a gap: DynamoDB has removed events whose time to live was
 * over.
 */
export class EventReader {
  readonly #connection: Connection;
  readonly #cache: HeadCache;

  constructor(connection: Connection, cache: HeadCache) {
    this.#connection = connection;
    this.#cache = cache;
  }

  async read(query: EventQuery, now: number): Promise<EventPage | undefined> {
    let known = this.#cache.get(query.sessionId) ?? (await this.#cache.load(query.sessionId));
    while (known !== undefined) {
      const page = await this.#readPage(known, query, now);
      if (page === undefined || 'events' in page) return page;
      // The session was removed meanwhile, and another one has its id now.
      known = page;
    }
    return undefined;
  }

  /**
   * Reads one page. Each round looks at the log after `end`, up to which the page has every event,
   * and then reads the head.
   *
   * @returns The other session that has the id now, if the session was removed meanwhile.
   */
  async #readPage(known: Known, query: EventQuery, now: number): Promise<EventPage | Known | undefined> {
    const { sessionId, streamId, afterSeq } = query;
    const { gen, lastSeq: knownSeq } = known.head;
    const isWholeLog = streamId === undefined && afterSeq !== undefined;
    const { settled, from } = await this.#readSettled(known, query);
    const page = new PageBuilder(query, settled.events);
    let around: Surroundings | undefined;
    let more = settled.more && afterSeq !== undefined;
    let [end, target, misses] = [from, knownSeq, 0];
    for (;;) {
      const looks = !more && end < target;
      const look = looks ? await this.#look(sessionId, end, isWholeLog ? page.room : LOOK) : NOTHING;
      // Read after the events, so that no trim in between goes unnoticed.
      around ??= await this.#surroundings(query);
      if (around === undefined || !isLive(around.head, now)) return undefined;
      const { head } = around;
      if (head.gen !== gen) return around.known;
      if (isTornTrim(query, around, [...settled.events, ...look.events])) {
        await this.#connection.retries.backOff(++misses);
        around = undefined;
        continue;
      }
      const start = Math.max(end, head.trimmedSeq);
      const newer = look.events.filter((event) => event.gen === gen && event.seq > start);
      const added = addUpToHole(page, newer, start);
      end = added.end;
      more ||= added.isFull;
      const firstKnown = start === head.trimmedSeq ? 1 : start + 1;
      if (end > start) known.settled.add(firstKnown, end);
      const allAdded = end === (newer.at(-1)?.seq ?? start);
      const beyond = look.more && newer.length > 0;
      if (isWholeLog && beyond && allAdded) more = true;
      // Others may append meanwhile. A look without a hole has shown all that was there when it
      // began.
      const enough = end > start && allAdded && end >= knownSeq;
      if (more || (!beyond && (enough || end >= head.lastSeq))) return page.build(around, end, more);
      target = Math.max(head.lastSeq, end + 1);
      if (end > start) misses = 0;
      if (!looks || end > start) continue;
      // The next event is not visible. The events before it need not wait.
      if (page.found && afterSeq !== undefined) return page.build(around, end, true);
      const missing = (newer[0]?.seq ?? head.lastSeq + 1) - 1;
      if (misses > 0 && (await isGone(this.#connection, head, missing))) {
        known.settled.add(firstKnown, missing);
        page.gap = missing;
        end = missing;
        continue;
      }
      await this.#connection.retries.backOff(++misses);
      around = undefined;
    }
  }

  /**
   * Reads the settled events of the page. @returns Also the number after which the log itself is
   * read.
   */
  async #readSettled({ settled: { through } }: Known, query: EventQuery) {
    const { streamId, afterSeq } = query;
    // A few events are read from the log itself, which shows for certain if none is of the stream.
    if (afterSeq !== undefined && (streamId === undefined || through - afterSeq <= FEW_EVENTS)) {
      return { settled: NOTHING, from: afterSeq };
    }
    return { settled: await this.#fetchSettled(query, through), from: through };
  }

  #look(sessionId: string, afterSeq: number, room: Room): Promise<Fetched> {
    const stretch = { sessionId, streamId: undefined, afterSeq, throughSeq: Infinity, oldestFirst: true };
    return fetchEvents(this.#connection, { ...stretch, ...room });
  }

  /**
   * Reads events that are known to be visible: of a stream by the index, of the log from its end.
   */
  async #fetchSettled({ sessionId, streamId, afterSeq, limit, maxBytes }: EventQuery, through: number) {
    const oldestFirst = afterSeq !== undefined;
    const stretch = { sessionId, streamId, afterSeq: afterSeq ?? 0, throughSeq: through, limit, maxBytes, oldestFirst };
    if (through === 0) return NOTHING;
    let found = await fetchEvents(this.#connection, stretch);
    // While a transaction is in progress, a query can wrongly find nothing, and nothing proves that
    // a stream has no events.
    for (let repeats = 0; found.events.length === 0 && repeats < EMPTY_REPEATS; repeats++) {
      found = await fetchEvents(this.#connection, stretch);
    }
    return found;
  }

  /** Reads the facts of a page besides its events, in one request. */
  async #surroundings({ sessionId, streamId, afterSeq = 0 }: EventQuery): Promise<Surroundings | undefined> {
    const items = await this.#connection.batchGet({
      sessions: [headKey(sessionId)],
      events: [
        ...(streamId === undefined ? [] : [trimKey(sessionId, streamId)]),
        ...(afterSeq > 0 ? [eventKey(sessionId, afterSeq)] : []),
      ],
    });
    const item = items.find((each) => keyOf(each).item === HEAD);
    if (item === undefined) return undefined;
    const head = toHead(item);
    const known = this.#cache.learn(head);
    const events = items.filter((each) => each !== item && readText(each, 'gen') === head.gen);
    return {
      head,
      known,
      trim: events.find((each) => keyOf(each).item.startsWith('trim ')),
      cursor: events.find((each) => !keyOf(each).item.startsWith('trim ')),
    };
  }
}

/**
 * Adds events to the page up to the first hole in their numbers.
 *
 * @param end The page has every event up to this number.
 */
function addUpToHole(page: PageBuilder, events: readonly StoredEvent[], end: number) {
  let last = end;
  for (const event of events) {
    if (event.seq !== last + 1) break;
    if (!page.add(event)) return { end: last, isFull: true };
    last = event.seq;
  }
  return { end: last, isFull: false };
}

/**
 * True if only a part of a trim is visible: the head says that an event is gone, but its stream
 * does not yet.
 */
function isTornTrim({ streamId }: EventQuery, around: Surroundings, events: readonly StoredEvent[]): boolean {
  const { head } = around;
  const trimmedSeq = trimmedOf(around);
  return events.some(
    ({ gen, seq, streamId: stream }) =>
      stream === streamId && gen === head.gen && seq <= head.trimmedSeq && seq > trimmedSeq,
  );
}
