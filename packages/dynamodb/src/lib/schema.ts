import { number, text, type Item, type ItemKey } from './items.ts';

/*
 * The design of the tables. Both have the keys `id` (HASH) and `item` (RANGE), text each.
 *
 * Sessions table (`mcp-sessions`)
 *
 *   | id          | item             | what it is                                                |
 *   | ----------- | ---------------- | --------------------------------------------------------- |
 *   | <session>   | facts            | the profile. An append does not pay for it                |
 *   | <session>   | facts#record     | the transport's record, once one was written              |
 *   | <session>   | head             | counters, times, generation. Small: each write changes it |
 *   | <session>   | key#<part>#<key> | a state key; a large value has the parts 00, 01, …        |
 *   | <session>   | token#<token>    | the outcome of an append                                  |
 *   | due <shard> | <time> <session> | "look at this session at this time", for sweeps           |
 *
 *   Index by-kind (listKind, id) and index by-principal (listOwner, id): the heads of sessions that
 *   were not ended, keys only.
 *
 * Events table (`mcp-session-events`)
 *
 *   | id        | item          | what it is                                                     |
 *   | --------- | ------------- | -------------------------------------------------------------- |
 *   | <session> | <number>      | an event. 16 digits, so that numbers sort as text              |
 *   | <session> | <number>.01 … | further parts of a large event                                 |
 *   | <session> | trim <stream> | the greatest trimmed number of a stream                        |
 *
 *   Local index by-stream (id, streamSeq): events as `<stream>\0<number>`, trims as
 *   ` trim\0<number>`.
 *
 * Access patterns and their requests
 *
 *   | pattern      | requests                                                                   |
 *   | ------------ | -------------------------------------------------------------------------- |
 *   | create       | 1 transaction: head, profile, due item                                     |
 *   | read         | 1 query up to the head: profile, record, head. If the session is not in    |
 *   |              | the cache: the head, then 1 query of the others if it is the asker's       |
 *   | update       | 1 transaction: head, and the profile or the record or both                 |
 *   | touch        | 1 update of the head                                                       |
 *   | append       | 1 transaction, on condition of the cached last number: head, token, events |
 *   | read events  | 1 query per MB, then 1 batch: head, trim of the stream, event at the       |
 *   |              | cursor. The log is read up to its first hole; a stream by the local index  |
 *   |              | up to the settled events, and then from the log, with 1 more query         |
 *   | trim         | 2 transactions per hundred events: the first notes the trim, the second    |
 *   |              | removes the events                                                         |
 *   | read state   | one key: 1 batch of head and key. Several keys: 1 transaction of reads.    |
 *   |              | All keys: 1 query per MB, up to four times beside writers                  |
 *   | commit       | 1 transaction, on condition of the cached state version: head and keys     |
 *   | clear        | 1 update of the head: keys of an older epoch do not exist                  |
 *   | heads        | 1 batch per 100 sessions                                                   |
 *   | list         | 1 query of an index, then 1 batch per 33 sessions                          |
 *
 * A local index instead of a filter or a global index: reading a stream costs what that stream
 * weighs, however busy the others are, and can be strongly consistent. It costs one more write per
 * event, and limits a session to 10 GB of events.
 *
 * Due items instead of an index on the time of expiry: each activity changes that time, and would
 * write the index again. A due item stays where it is, and a sweep moves it if the session was
 * renewed. Items can be read consistently, a global index cannot.
 */

/** Number of partitions of the due items. Each takes 1,000 writes a second. */
export const DUE_SHARDS = 4;
/**
 * Maximum bytes of one part of an event. An item and its copies in local indexes may have 400 KB
 * together, including the names of their attributes.
 */
export const EVENT_PART_BYTES = 190_000;
/** Maximum bytes of one part of a value. */
export const VALUE_PART_BYTES = 380_000;
/** Maximum number of items of one transaction. */
export const MAX_TRANSACTION_ITEMS = 100;

export const HEAD = 'head';
/**
 * Profile and record sort right before the head, so that one query reads all for the price of their
 * sum.
 */
export const PROFILE = 'facts';
export const RECORD = 'facts#record';
export const STREAM_INDEX = 'by-stream';
export const KIND_INDEX = 'by-kind';
export const PRINCIPAL_INDEX = 'by-principal';
/** Written by a version of this package that changes the tables. No session id contains a space. */
export const SCHEMA_KEY: ItemKey = { id: 'mcp-session schema', item: 'schema' };

/**
 * Seconds from a session's expiry, as of the write of an event, key or token, until DynamoDB may
 * remove that item.
 */
export const DATA_GRACE_S: number = 30 * 86_400;
/** The same for the head, which goes last: it keeps the id taken and has the next number. */
const HEAD_GRACE_S = 60 * 86_400;

/** The partition of the index by principal. A kind contains no space. */
export function ownerOf(kind: string, principal: string | null): string {
  return principal === null ? `${kind} ` : `${kind} =${principal}`;
}

export function headKey(id: string): ItemKey {
  return { id, item: HEAD };
}

export function profileKey(id: string): ItemKey {
  return { id, item: PROFILE };
}

export function recordKey(id: string): ItemKey {
  return { id, item: RECORD };
}

export function stateKey(id: string, key: string, part: number = 0): ItemKey {
  return { id, item: `key#${twoDigits(part)}#${key}` };
}

/** Splits the item name of a state key into key and part. */
export function parseStateKey({ item }: ItemKey): { readonly key: string; readonly part: number } {
  return { key: item.slice('key#00#'.length), part: Number(item.slice('key#'.length, 'key#00'.length)) };
}

export function tokenKey(id: string, token: string): ItemKey {
  return { id, item: `token#${token}` };
}

export function dueKey(id: string, at: number): ItemKey {
  const sum = Buffer.from(id).reduce((total, byte) => (total * 31 + byte) % 65_536, 0);
  return { id: duePartition(sum % DUE_SHARDS), item: `${digits(at)} ${id}` };
}

/** The item that leads a sweep to a session at a time. */
export function dueItem(id: string, at: number): Item {
  const key = dueKey(id, at);
  return { id: text(key.id), item: text(key.item), ttl: number(headTtl(at)) };
}

export function duePartition(shard: number): string {
  return `due ${shard}`;
}

export function parseDueKey({ item }: ItemKey): { readonly id: string; readonly at: number } {
  return { id: item.slice(DIGITS + 1), at: Number(item.slice(0, DIGITS)) };
}

export function eventKey(id: string, seq: number, part: number = 0): ItemKey {
  return { id, item: seqItem(seq, part) };
}

/** The place of an event in its stream. */
export function streamSeq(streamId: string, seq: number, part: number = 0): string {
  return `${streamId}\0${seqItem(seq, part)}`;
}

export function parseStreamSeq(value: string): {
  readonly streamId: string;
  readonly seq: number;
  readonly part: number;
} {
  const end = value.indexOf('\0');
  const [seq, part] = value.slice(end + 1).split('.');
  return { streamId: value.slice(0, end), seq: Number(seq), part: Number(part ?? 0) };
}

export function trimKey(id: string, streamId: string): ItemKey {
  return { id, item: `trim ${streamId}` };
}

/** The stream of the trims in the local index. No stream id contains a space. */
export const TRIMS = ' trim';

export function digits(value: number): string {
  return String(value).padStart(DIGITS, '0');
}

/** In Unix seconds. @param expiresAt In Unix milliseconds. */
export function dataTtl(expiresAt: number): number {
  return Math.ceil(expiresAt / 1_000) + DATA_GRACE_S;
}

export function headTtl(until: number): number {
  return Math.ceil(until / 1_000) + HEAD_GRACE_S;
}

const DIGITS = 16;

function seqItem(seq: number, part: number): string {
  return part === 0 ? digits(seq) : `${digits(seq)}.${twoDigits(part)}`;
}

function twoDigits(part: number): string {
  return String(part).padStart(2, '0');
}
