import type { TransactWriteItem } from '@aws-sdk/client-dynamodb';
import {
  SessionError,
  type AppendOutcome,
  type AppendRequest,
  type AppendResult,
  type EventPage,
  type EventQuery,
} from '@mcp-session/core';
import { lost, type Connection } from './connection.ts';
import { Change, keyOf, number, readNumber, readText, split, text, type Item } from './items.ts';
import {
  dataTtl,
  EVENT_PART_BYTES,
  eventKey,
  HEAD,
  headKey,
  isLive,
  parseStreamSeq,
  streamSeq,
  toHead,
  tokenKey,
  trimKey,
  type Head,
} from './keys.ts';
import { fetchEvents, type StoredEvent } from './log.ts';
import type { Memory } from './memory.ts';
import { failed, isLiveItem, live, renew, type Sessions } from './sessions.ts';
import type { Turns } from './turns.ts';

/** Appends to sessions' logs and reads them. */
export class Events {
  readonly #connection: Connection;
  readonly #memory: Memory;
  readonly #turns: Turns;
  readonly #sessions: Sessions;

  constructor(connection: Connection, memory: Memory, turns: Turns, sessions: Sessions) {
    this.#connection = connection;
    this.#memory = memory;
    this.#turns = turns;
    this.#sessions = sessions;
  }

  // One transaction a session: all of them in one would let a dead session fail the others, and hold only 100 items together.
  async append(batch: readonly AppendRequest[], now: number): Promise<readonly AppendOutcome[]> {
    const [first] = batch;
    if (batch.length === 1 && first !== undefined)
      return [await this.#turns.run(first.sessionId, () => this.#appendTo(first, now))];
    const outcomes = await Promise.allSettled(
      batch.map((request) => this.#turns.run(request.sessionId, () => this.#appendTo(request, now))),
    );
    return outcomes.map((outcome) => {
      if (outcome.status === 'fulfilled') return outcome.value;
      if (outcome.reason instanceof SessionError) return outcome.reason;
      throw outcome.reason;
    });
  }

  async read(query: EventQuery, now: number): Promise<EventPage | undefined> {
    const { sessionId } = query;
    let known = this.#memory.get(sessionId)?.head ?? (await this.#sessions.load(sessionId))?.head;
    for (let round = 1; ; round++) {
      if (known === undefined) return undefined;
      // The head is read after the events, so that no trim in between goes unnoticed, and the newest number that is told was known before
      // them, so that none up to it was missed.
      const found = await fetchEvents(this.#connection, query);
      const { head, trim, cursor } = await this.#surroundings(query);
      if (head === undefined || !isLive(head, now)) return undefined;
      const events = found.events.filter(({ gen, seq }) => gen === head.gen && seq > head.trimmedSeq);
      const page = { head, query, events, more: found.more, trim, cursor };
      const last = events.at(-1)?.seq;
      if (found.more && last !== undefined) return toPage(page, head.lastSeq);
      if (head.gen === known.gen && head.lastSeq === known.lastSeq && !found.more) return toPage(page, head.lastSeq);
      // Others append meanwhile. The whole log has no holes: its last event that was seen was the newest one.
      if (query.streamId === undefined && last !== undefined && !found.more) return toPage(page, last);
      // A stream is looked at once more, and then told as far as it was certainly seen.
      if (round > 1 && head.gen === known.gen && !found.more) return toPage(page, Math.max(known.lastSeq, last ?? 0));
      known = head;
    }
  }

  async #appendTo(request: AppendRequest, now: number): Promise<AppendResult | undefined> {
    const { sessionId, token, events, expiresAt } = request;
    const tables = this.#connection.tables;
    return this.#connection.untilWon(async () => {
      const head = (this.#memory.live(sessionId, now) ?? (await this.#sessions.load(sessionId)))?.head;
      if (head === undefined || !isLive(head, now)) return undefined;
      const firstSeq = head.lastSeq + 1;
      const lastSeq = head.lastSeq + events.length;
      const logBytes = events.reduce((sum, event) => sum + event.bytes, head.logBytes);
      const ttl = number(dataTtl(Math.max(head.expiresAt, expiresAt ?? 0)));
      const change = live(head, now)
        .set('lastSeq', number(lastSeq))
        .set('logBytes', number(logBytes))
        .when('lastSeq', '=', number(head.lastSeq))
        // What the log weighs is known only as long as nobody has trimmed it.
        .when('trimmedSeq', '=', number(head.trimmedSeq));
      renew(change, head, expiresAt, now);
      const remembered = new Change();
      remembered.whenTrue(
        `attribute_not_exists(${remembered.name('id')}) OR ${remembered.name('gen')} <> ${remembered.value(text(head.gen))}`,
      );
      const { id, item } = tokenKey(sessionId, token);
      const reasons = await this.#connection.transactWrite([
        { Update: change.update(tables.sessions, headKey(sessionId)) },
        {
          Put: remembered.put(tables.sessions, {
            id: text(id),
            item: text(item),
            gen: text(head.gen),
            firstSeq: number(firstSeq),
            lastSeq: number(lastSeq),
            ttl,
          }),
        },
        ...events.flatMap((event, index) => this.#puts(head, { ...event, seq: firstSeq + index }, now, ttl)),
      ]);
      if (reasons === undefined) {
        this.#sessions.renewed(head, expiresAt, now, { lastSeq, logBytes });
        return { firstSeq, retainedEvents: lastSeq - head.trimmedSeq, retainedBytes: logBytes };
      }
      const [onHead, onToken] = reasons;
      if (failed(onHead)) {
        const present = this.#sessions.learnFrom(onHead);
        if (present === undefined) this.#memory.forget(sessionId);
        if (!isLiveItem(present, now)) return undefined;
        // A token of an earlier session of this id says nothing.
        if (toHead(present).gen !== head.gen) return lost;
      }
      return failed(onToken) ? this.#repeat(request, readNumber(onToken.Item ?? {}, 'firstSeq') ?? 0, now) : lost;
    });
  }

  /** The answer to a request that was done before. It renews the session as the first time. */
  async #repeat(
    { sessionId, expiresAt }: AppendRequest,
    firstSeq: number,
    now: number,
  ): Promise<AppendResult | undefined> {
    const head =
      expiresAt === undefined
        ? (await this.#sessions.load(sessionId))?.head
        : await this.#sessions.touch(sessionId, expiresAt, now);
    if (head === undefined || !isLive(head, now)) return undefined;
    return { firstSeq, retainedEvents: head.lastSeq - head.trimmedSeq, retainedBytes: head.logBytes };
  }

  #puts(
    { id, gen }: Head,
    event: { readonly seq: number; readonly streamId: string; readonly message: string; readonly bytes: number },
    now: number,
    ttl: Item[string],
  ): TransactWriteItem[] {
    const parts = split(event.message, EVENT_PART_BYTES);
    return parts.map((message, part) => ({
      Put: new Change().put(this.#connection.tables.events, {
        id: text(id),
        item: text(eventKey(id, event.seq, part).item),
        streamSeq: text(streamSeq(event.streamId, event.seq, part)),
        gen: text(gen),
        message: text(message),
        ...(part === 0 && { createdAt: number(now), bytes: number(event.bytes), parts: number(parts.length) }),
        ttl,
      }),
    }));
  }

  /** What a page says besides its events, read in one request. */
  async #surroundings({ sessionId, streamId, afterSeq = 0 }: EventQuery) {
    const items = await this.#connection.batchGet({
      sessions: [headKey(sessionId)],
      events: [
        ...(streamId === undefined ? [] : [trimKey(sessionId, streamId)]),
        ...(afterSeq > 0 ? [eventKey(sessionId, afterSeq)] : []),
      ],
    });
    const item = items.find((each) => keyOf(each).item === HEAD);
    const head = item && toHead(item);
    if (head !== undefined) this.#memory.learn(head);
    const events = items.filter((each) => each !== item && readText(each, 'gen') === head?.gen);
    return {
      head,
      trim: events.find((item) => keyOf(item).item.startsWith('trim ')),
      cursor: events.find((item) => !keyOf(item).item.startsWith('trim ')),
    };
  }
}

interface Found {
  readonly head: Head;
  readonly query: EventQuery;
  readonly events: readonly StoredEvent[];
  readonly more: boolean;
  readonly trim: Item | undefined;
  readonly cursor: Item | undefined;
}

function toPage({ head, query, events, more, trim, cursor }: Found, lastSeq: number): EventPage {
  const { streamId, afterSeq } = query;
  const at = cursor && parseStreamSeq(readText(cursor, 'streamSeq') ?? '');
  return {
    events: events.map(({ seq, streamId: stream, message, createdAt }) => ({
      seq,
      streamId: stream,
      message,
      createdAt,
    })),
    more: afterSeq !== undefined && more,
    lastSeq,
    trimmedSeq:
      streamId === undefined
        ? horizon(head, query, events, lastSeq)
        : ((trim && readNumber(trim, 'seq')) ?? head.forgottenSeq),
    afterStreamId: at !== undefined && at.seq > head.trimmedSeq ? at.streamId : undefined,
  };
}

/** The greatest number that is not in the log any more. It can be greater than what was trimmed: what outlived its time to live is gone as well. */
function horizon(
  { trimmedSeq }: Head,
  { afterSeq }: EventQuery,
  events: readonly StoredEvent[],
  lastSeq: number,
): number {
  if (afterSeq === undefined) return trimmedSeq;
  const expected = Math.max(afterSeq, trimmedSeq) + 1;
  const first = events[0]?.seq ?? lastSeq + 1;
  return first > expected ? first - 1 : trimmedSeq;
}
