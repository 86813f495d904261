import { takePage, type EventRow } from '@mcp-session/core/backend';
import type { Connection } from '../connection.ts';
import { number, readNumber, readText, text, type Item } from '../items.ts';
import { digits, parseStreamSeq, STREAM_INDEX } from '../schema.ts';

/** An event with the facts that only this package needs. */
export interface StoredEvent extends EventRow {
  readonly gen: string;
  readonly bytes: number;
}

/** Which events to read. */
export interface Stretch {
  readonly sessionId: string;
  /** `undefined`: the whole log. */
  readonly streamId: string | undefined;
  /** Only events with a greater number. */
  readonly afterSeq: number;
  /** Only events up to this number. */
  readonly throughSeq: number;
  /** Maximum number of events. */
  readonly limit: number;
  /** Maximum bytes of messages. One event always fits. */
  readonly maxBytes: number;
  /** Which events are left out if there are too many: the newest if true, else the oldest. */
  readonly oldestFirst: boolean;
}

/** Events that were read. */
export interface Fetched {
  /** Oldest first. Events with a part that is not visible yet are missing. */
  readonly events: readonly StoredEvent[];
  /** True if there may be more beyond them. */
  readonly more: boolean;
}

/**
 * Reads the visible events of a log, or of one of its streams by the index. Perhaps only a part of
 * a transaction is visible.
 */
export async function fetchEvents(connection: Connection, stretch: Stretch): Promise<Fetched> {
  const { sessionId, streamId, afterSeq, throughSeq, limit, oldestFirst } = stretch;
  const prefix = streamId === undefined ? '' : `${streamId}\0`;
  const items: Item[] = [];
  let start: Item | undefined;
  for (;;) {
    const page = await connection.query({
      TableName: connection.tables.events,
      ...(streamId !== undefined && { IndexName: STREAM_INDEX }),
      KeyConditionExpression: 'id = :id and #place between :from and :to',
      ExpressionAttributeNames: { '#place': streamId === undefined ? 'item' : 'streamSeq' },
      ExpressionAttributeValues: {
        ':id': text(sessionId),
        ':from': text(`${prefix}${digits(afterSeq + 1)}`),
        // Further parts have a full stop after the number, and `:` sorts after the digits.
        ':to': text(`${prefix}${throughSeq === Infinity ? '' : digits(throughSeq)}:`),
      },
      ScanIndexForward: oldestFirst,
      Limit: limit + 1,
      ExclusiveStartKey: start,
    });
    items.push(...page.items);
    start = page.next;
    const events = assemble(oldestFirst ? items : items.toReversed());
    const fitting = takeEvents(events, oldestFirst, stretch);
    const more = start !== undefined || fitting.length < events.length;
    if (!more || fitting.length < events.length) return { events: fitting, more };
  }
}

/** Joins the parts of events. Leaves out events with a missing part. */
function assemble(items: readonly Item[]): StoredEvent[] {
  const events: StoredEvent[] = [];
  for (let index = 0; index < items.length; index++) {
    const item = items[index] ?? {};
    const { streamId, seq, part } = placeOf(item);
    if (part > 0) continue;
    const gen = readText(item, 'gen') ?? '';
    const parts = items.slice(index, index + (readNumber(item, 'parts') ?? 1));
    const whole =
      parts.length === (readNumber(item, 'parts') ?? 1) &&
      parts.every((each, place) => {
        const at = placeOf(each);
        return at.seq === seq && at.part === place && readText(each, 'gen') === gen;
      });
    if (!whole) continue;
    events.push({
      seq,
      streamId,
      message: parts.map((each) => readText(each, 'message') ?? '').join(''),
      createdAt: readNumber(item, 'createdAt') ?? 0,
      gen,
      bytes: readNumber(item, 'bytes') ?? 0,
    });
  }
  return events;
}

function placeOf(item: Item) {
  return parseStreamSeq(readText(item, 'streamSeq') ?? '');
}

/**
 * The events that have room in a page, from the oldest or from the newest on. Returns them oldest
 * first.
 */
export function takeEvents(
  events: readonly StoredEvent[],
  oldestFirst: boolean,
  room: { readonly limit: number; readonly maxBytes: number },
): readonly StoredEvent[] {
  return oldestFirst ? takePage(events, room).rows : takePage(events.toReversed(), room).rows.toReversed();
}

/** The facts that a trim needs of an event. */
export interface EventFacts {
  readonly seq: number;
  readonly streamId: string;
  readonly createdAt: number;
  readonly bytes: number;
  readonly partCount: number;
}

/** Facts of the oldest events, without their messages, page by page. */
export async function* oldestFacts(
  connection: Connection,
  sessionId: string,
): AsyncGenerator<readonly EventFacts[], void, undefined> {
  const pages = connection.pages({
    TableName: connection.tables.events,
    KeyConditionExpression: 'id = :id and #item between :from and :to',
    FilterExpression: '#parts >= :one',
    ProjectionExpression: 'streamSeq, createdAt, #bytes, #parts',
    ExpressionAttributeNames: { '#item': 'item', '#bytes': 'bytes', '#parts': 'parts' },
    ExpressionAttributeValues: { ':id': text(sessionId), ':from': text('0'), ':to': text(':'), ':one': number(1) },
  });
  for await (const page of pages) {
    yield page.items.map((item) => ({
      ...placeOf(item),
      createdAt: readNumber(item, 'createdAt') ?? 0,
      bytes: readNumber(item, 'bytes') ?? 0,
      partCount: readNumber(item, 'parts') ?? 1,
    }));
  }
}
