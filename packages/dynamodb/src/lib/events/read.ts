import type { EventPage, EventQuery } from '@mcp-session/core/backend';
import type { Connection } from '../connection.ts';
import { PageBuilder, trimmedOf, type Room, type Surroundings } from './page.ts';
import { isGone } from './gaps.ts';
import { keyOf, readText } from '../items.ts';
import { eventKey, HEAD, headKey, isLive, toHead, trimKey } from '../schema.ts';
import { fetchEvents, type Fetched, type StoredEvent } from './log.ts';
import type { Known, Memory } from '../head-cache.ts';
import type { Sessions } from '../sessions/record.ts';

/** What is looked at in one go where it is not known how many of the events are asked for. */
const LOOK: Room = { limit: 1_000, maxBytes: 1_048_576 };

const FEW_EVENTS = 10;

const nothing: Fetched = { events: [], more: false };

/**
 * The reads of sessions' logs.
 *
 * A read can see a part of a transaction: event n + 1 without event n, a newest number without its event, an event without its last part, and perhaps nothing
 * at all. So what follows the settled events is read from the log itself, and only as far as it has no hole; that alone is told to have been seen. Of what is
 * settled a stream is read by its index. A hole that stays is a gap: DynamoDB has removed what outlived its time to live.
 */
export class EventReader {
  readonly #connection: Connection;
  readonly #memory: Memory;
  readonly #sessions: Sessions;

  constructor(connection: Connection, memory: Memory, sessions: Sessions) {
    this.#connection = connection;
    this.#memory = memory;
    this.#sessions = sessions;
  }

  async read(query: EventQuery, now: number): Promise<EventPage | undefined> {
    let known = this.#memory.get(query.sessionId) ?? (await this.#sessions.load(query.sessionId));
    while (known !== undefined) {
      const page = await this.#readOf(known, query, now);
      if (page === undefined || 'events' in page) return page;
      // The session was removed meanwhile, and another one has its id.
      known = page;
    }
    return undefined;
  }

  async #readOf(known: Known, query: EventQuery, now: number): Promise<EventPage | Known | undefined> {
    const { sessionId, streamId, afterSeq } = query;
    const { gen, lastSeq: knownSeq } = known.head;
    const whole = streamId === undefined && afterSeq !== undefined;
    const { through } = known.settled;
    // So few events are looked at in the log itself, which shows for certain that there is none of a stream.
    const inLog = afterSeq !== undefined && (streamId === undefined || through - afterSeq <= FEW_EVENTS);
    const from = inLog ? afterSeq : through;
    const settled = inLog ? nothing : await this.#fetchSettled(query, from);
    const page = new PageBuilder(query, settled.events);
    let around: Surroundings | undefined;
    let more = settled.more && afterSeq !== undefined;
    let [end, target, misses] = [from, knownSeq, 0];
    for (;;) {
      const looks = !more && end < target;
      const look = looks ? await this.#look(sessionId, end, whole ? page.room : LOOK) : nothing;
      // After the events, so that no trim in between goes unnoticed.
      around ??= await this.#surroundings(query);
      if (around === undefined || !isLive(around.head, now)) return undefined;
      const { head } = around;
      if (head.gen !== gen) return around.known;
      if (isTornTrim(query, around, [...settled.events, ...look.events])) {
        await this.#connection.backOff(++misses);
        around = undefined;
        continue;
      }
      const start = Math.max(end, head.trimmedSeq);
      end = start;
      const newer = look.events.filter((event) => event.gen === gen && event.seq > start);
      for (const event of newer) {
        more = event.seq === end + 1 && !page.add(event);
        if (more || event.seq !== end + 1) break;
        end = event.seq;
      }
      if (end > start) known.settled.add(start === head.trimmedSeq ? 1 : start + 1, end);
      const allSeen = end === (newer.at(-1)?.seq ?? start);
      const beyond = look.more && newer.length > 0;
      if (whole && beyond && allSeen) more = true;
      // Others append meanwhile: what was seen without a hole was all there was when the look began.
      const enough = end > start && allSeen && end >= knownSeq;
      if (more || (!beyond && (enough || end >= head.lastSeq))) return page.build(around, end, more);
      target = Math.max(head.lastSeq, end + 1);
      if (end > start) misses = 0;
      if (!looks || end > start) continue;
      // Nothing in the place that is next. What was found before it need not wait.
      if (page.found && afterSeq !== undefined) return page.build(around, end, true);
      const missing = (newer[0]?.seq ?? head.lastSeq + 1) - 1;
      if (misses > 0 && (await isGone(this.#connection, head, missing))) {
        known.settled.add(start === head.trimmedSeq ? 1 : start + 1, missing);
        page.gap = missing;
        end = missing;
        continue;
      }
      await this.#connection.backOff(++misses);
      around = undefined;
    }
  }

  #look(sessionId: string, afterSeq: number, room: Room): Promise<Fetched> {
    const stretch = { sessionId, streamId: undefined, afterSeq, throughSeq: Infinity, oldestFirst: true };
    return fetchEvents(this.#connection, { ...stretch, ...room });
  }

  /** Reads what is known to be visible: of a stream by the index, of the log from its end. */
  async #fetchSettled({ sessionId, streamId, afterSeq, limit, maxBytes }: EventQuery, through: number) {
    const oldestFirst = afterSeq !== undefined;
    const stretch = { sessionId, streamId, afterSeq: afterSeq ?? 0, throughSeq: through, limit, maxBytes, oldestFirst };
    if (through === 0) return nothing;
    const found = await fetchEvents(this.#connection, stretch);
    // A query beside a transaction is said to have come back empty although there was something.
    return found.events.length > 0 ? found : fetchEvents(this.#connection, stretch);
  }

  /** Reads what a page says besides its events in one request. */
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
    const known = this.#memory.learn(head);
    const events = items.filter((each) => each !== item && readText(each, 'gen') === head.gen);
    return {
      head,
      known,
      trim: events.find((each) => keyOf(each).item.startsWith('trim ')),
      cursor: events.find((each) => !keyOf(each).item.startsWith('trim ')),
    };
  }
}

/** A trim of which only a part can be seen: the session says that an event is gone, and what is remembered of its stream does not say so yet. */
function isTornTrim({ streamId }: EventQuery, around: Surroundings, events: readonly StoredEvent[]): boolean {
  const { head } = around;
  const told = trimmedOf(around);
  return events.some(
    ({ gen, seq, streamId: stream }) => stream === streamId && gen === head.gen && seq <= head.trimmedSeq && seq > told,
  );
}
