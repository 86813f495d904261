import type { EventQuery, EventRow } from '@mcp-session/core';
import type { Connection } from './connection.ts';
import { number, readNumber, readText, text, type Item } from './items.ts';
import { digits, parseStreamSeq, STREAM_INDEX } from './keys.ts';

/** An event with what only this package needs to know. */
export interface StoredEvent extends EventRow {
  readonly gen: string;
  readonly bytes: number;
}

/**
 * Reads events of a log or of one of its streams, whole ones only, as many as fit the query.
 *
 * @returns Oldest first. `more` where there may be more.
 */
export async function fetchEvents(
  connection: Connection,
  { sessionId, streamId, afterSeq, limit, maxBytes }: EventQuery,
): Promise<{ readonly events: readonly StoredEvent[]; readonly more: boolean }> {
  const forward = afterSeq !== undefined;
  const range = rangeOf(streamId, (afterSeq ?? 0) + 1);
  const items: Item[] = [];
  let start: Item | undefined;
  for (;;) {
    const page = await connection.query({
      TableName: connection.tables.events,
      ...(streamId !== undefined && { IndexName: STREAM_INDEX }),
      KeyConditionExpression: 'id = :id and #place between :from and :to',
      ExpressionAttributeNames: { '#place': streamId === undefined ? 'item' : 'streamSeq' },
      ExpressionAttributeValues: { ':id': text(sessionId), ':from': text(range.from), ':to': text(range.to) },
      ScanIndexForward: forward,
      Limit: limit + 1,
      ...(start !== undefined && { ExclusiveStartKey: start }),
    });
    items.push(...page.items);
    start = page.next;
    const events = assemble(items, forward);
    const fitting = take(events, forward, limit, maxBytes);
    if (start === undefined || fitting.length < events.length)
      return { events: fitting, more: start !== undefined || fitting.length < events.length };
  }
}

// `:` follows the digits.
function rangeOf(streamId: string | undefined, fromSeq: number): { readonly from: string; readonly to: string } {
  const prefix = streamId === undefined ? '' : `${streamId}\0`;
  return { from: `${prefix}${digits(fromSeq)}`, to: `${prefix}:` };
}

/** Puts the parts of events together. One of which parts are missing at an end of what was read is left out. */
function assemble(items: readonly Item[], forward: boolean): StoredEvent[] {
  const ordered = forward ? items : items.toReversed();
  const events: StoredEvent[] = [];
  for (let index = 0; index < ordered.length;) {
    const item = ordered[index] ?? {};
    const { streamId, seq, part } = parseStreamSeq(readText(item, 'streamSeq') ?? '');
    const parts = readNumber(item, 'parts') ?? 1;
    const own = ordered.slice(index, index + parts);
    index += part === 0 ? parts : 1;
    if (part > 0 || own.length < parts) continue;
    events.push({
      seq,
      streamId,
      message: own.map((each) => readText(each, 'message') ?? '').join(''),
      createdAt: readNumber(item, 'createdAt') ?? 0,
      gen: readText(item, 'gen') ?? '',
      bytes: readNumber(item, 'bytes') ?? 0,
    });
  }
  return events;
}

function take(events: readonly StoredEvent[], forward: boolean, limit: number, maxBytes: number): StoredEvent[] {
  const taken: StoredEvent[] = [];
  let bytes = 0;
  for (const event of forward ? events : events.toReversed()) {
    bytes += event.bytes;
    if (taken.length === limit || (bytes > maxBytes && taken.length > 0)) break;
    taken.push(event);
  }
  return forward ? taken : taken.toReversed();
}

/** What a trim needs to know of an event. */
export interface EventFacts {
  readonly seq: number;
  readonly streamId: string;
  readonly createdAt: number;
  readonly bytes: number;
  readonly parts: number;
}

/** Facts of the oldest events, without their messages, page by page. */
export async function* oldestFacts(
  connection: Connection,
  sessionId: string,
  fromSeq: number,
): AsyncGenerator<readonly EventFacts[], void, undefined> {
  const { from, to } = rangeOf(undefined, fromSeq);
  let start: Item | undefined;
  do {
    const page = await connection.query({
      TableName: connection.tables.events,
      KeyConditionExpression: 'id = :id and #item between :from and :to',
      FilterExpression: '#parts >= :one',
      ProjectionExpression: 'streamSeq, createdAt, #bytes, #parts',
      ExpressionAttributeNames: { '#item': 'item', '#bytes': 'bytes', '#parts': 'parts' },
      ExpressionAttributeValues: { ':id': text(sessionId), ':from': text(from), ':to': text(to), ':one': number(1) },
      ...(start !== undefined && { ExclusiveStartKey: start }),
    });
    yield page.items.map((item) => ({
      ...parseStreamSeq(readText(item, 'streamSeq') ?? ''),
      createdAt: readNumber(item, 'createdAt') ?? 0,
      bytes: readNumber(item, 'bytes') ?? 0,
      parts: readNumber(item, 'parts') ?? 1,
    }));
    start = page.next;
  } while (start !== undefined);
}
