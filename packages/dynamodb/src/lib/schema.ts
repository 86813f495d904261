import { number, readNumber, readText, text, type Item, type ItemKey } from './items.ts';

/*
 * The design of the tables. Both have the keys `id` (HASH) and `item` (RANGE), text each.
 *
 * Sessions table (`mcp-sessions`)
 *
 *   id            item               what it is
 *   <session>     facts              the profile, apart from the head so that an append does not pay for it
 *   <session>     head               the session's record: counters, times, generation. Small, for every write of the session changes it
 *   <session>     key#<part>#<key>   a key of the state; a value beyond one item is split over parts 00, 01, …
 *   <session>     token#<token>      the outcome of an append
 *   due <shard>   <time> <session>   "look at this session then": what sweeps go by
 *
 *   Index by-kind (listKind, id) and index by-principal (listOwner, id): the heads of sessions that were not ended, keys only.
 *
 * Events table (`mcp-session-events`)
 *
 *   <session>     <number>           an event; <number>.01, … where it is split. Numbers have 16 digits, so that their order is that of the texts
 *   <session>     trim <stream>      the greatest number that was trimmed of a stream
 *
 *   Local index by-stream (id, streamSeq): events as `<stream>\0<number>`, trims as ` trim\0<number>`.
 *
 * Access patterns, with the requests that they take
 *
 *   create        1 transaction: head, profile, due
 *   read          1 query up to the head: profile and head. Of a session that this process has not seen: the head, then the profile if it is theirs who ask
 *   touch         1 update of the head
 *   append        1 transaction on the condition that the head's last number is the one this process remembers: head, token, events
 *   read events   1 query for each MB, then 1 batch: head, trim of the stream, event at the cursor. The log is read as far as it has no hole; a stream by the local
 *                 index up to what is settled, and then in the log, by 1 more query
 *   trim          2 transactions for each hundred events: what is trimmed is noted, then removed
 *   state, a key  1 batch of two: head and key. Several keys: 1 transaction of reads. All keys: 1 query from `head` on, for each MB, up to
 *                 four times over beside writers
 *   commit        1 transaction on the condition that the head's state version is the one this process remembers: head and keys
 *   clear         1 update of the head: keys of an older epoch are not there
 *   heads         1 batch for each 100 sessions
 *   list          1 query of an index, then 1 batch for each 50 sessions
 *
 * A local index, rather than a filter or a global one: reading one stream costs what that stream weighs, however busy the others are, and can be strongly
 * consistent. Its price is one more write for each event, and at most 10 GB of events in one session.
 *
 * Due items, rather than an index on the time of expiry: each activity moves that time, and an index would be written again with each. A due item stays
 * where it is; the sweep that comes to it moves it on if the session has been renewed. Items can be read consistently, a global index cannot.
 */

/** Parts of the due items: each takes 1,000 writes a second. */
export const DUE_SHARDS = 4;
/** Bytes of one part of an event. An item and its copies in local indexes may have 400 KB together, with the names of their attributes. */
export const EVENT_PART_BYTES = 190_000;
/** Bytes of one part of a value. */
export const VALUE_PART_BYTES = 380_000;
/** Items of one transaction. */
export const MAX_TRANSACTION_ITEMS = 100;

export const HEAD = 'head';
/** In the order of the items it comes right before the head, with nothing between: one query reads both for the price of their sum. */
export const PROFILE = 'facts';
export const STREAM_INDEX = 'by-stream';
export const KIND_INDEX = 'by-kind';
export const PRINCIPAL_INDEX = 'by-principal';
/** Written by a version of this package that changes the tables. No session has such an id: it holds a space. */
export const SCHEMA_KEY: ItemKey = { id: 'mcp-session schema', item: 'schema' };

/** Seconds that an event, a key or a token outlives its session's expiry by, as it was when they were written, before DynamoDB may remove it. */
export const DATA_GRACE_S: number = 30 * 86_400;
/** The same of the head, which goes last: it says that the id is taken, and which number comes next. */
const HEAD_GRACE_S = 60 * 86_400;

/** A session's record. */
export interface Head {
  readonly id: string;
  /** Random, new with each creation: tells a session from an earlier one of the same id. */
  readonly gen: string;
  readonly kind: string;
  readonly principal: string | null;
  readonly createdAt: number;
  readonly touchedAt: number;
  readonly expiresAt: number;
  readonly endedAt: number | undefined;
  readonly purgeAt: number;
  readonly lastSeq: number;
  /** All events up to this number are visible to every read, see `Settled`: what a process goes by that has read nothing yet. */
  readonly settledSeq: number;
  readonly trimmedSeq: number;
  readonly forgottenSeq: number;
  readonly logBytes: number;
  readonly stateVersion: number;
  readonly stateKeys: number;
  readonly stateBytes: number;
  /** Sum of the `fingerprint`s of all keys: a state that was read in parts is of one moment if its sum is this one. */
  readonly stateSum: number;
  /** Keys of the state that carry an older one were cleared. */
  readonly epoch: number;
  /** Time to live that every item of the session has at the least, in Unix seconds. */
  readonly dataTtl: number;
  /** Whether there are items left that nothing reads any more. */
  readonly litter: boolean;
}

export function toHead(item: Item): Head {
  return {
    id: readText(item, 'id') ?? '',
    gen: readText(item, 'gen') ?? '',
    kind: readText(item, 'kind') ?? '',
    principal: readText(item, 'principal') ?? null,
    createdAt: readNumber(item, 'createdAt') ?? 0,
    touchedAt: readNumber(item, 'touchedAt') ?? 0,
    expiresAt: readNumber(item, 'expiresAt') ?? 0,
    endedAt: readNumber(item, 'endedAt'),
    purgeAt: readNumber(item, 'purgeAt') ?? 0,
    lastSeq: readNumber(item, 'lastSeq') ?? 0,
    settledSeq: readNumber(item, 'settledSeq') ?? 0,
    trimmedSeq: readNumber(item, 'trimmedSeq') ?? 0,
    forgottenSeq: readNumber(item, 'forgottenSeq') ?? 0,
    logBytes: readNumber(item, 'logBytes') ?? 0,
    stateVersion: readNumber(item, 'stateVersion') ?? 0,
    stateKeys: readNumber(item, 'stateKeys') ?? 0,
    stateBytes: readNumber(item, 'stateBytes') ?? 0,
    stateSum: readNumber(item, 'stateSum') ?? 0,
    epoch: readNumber(item, 'epoch') ?? 0,
    dataTtl: readNumber(item, 'dataTtl') ?? 0,
    litter: item['litter']?.BOOL ?? false,
  };
}

/** The item of a session that was never used. */
export function newHead(head: Pick<Head, 'id' | 'gen' | 'kind' | 'principal' | 'expiresAt'>, now: number): Item {
  const { id, gen, kind, principal, expiresAt } = head;
  const counters = [
    'lastSeq',
    'settledSeq',
    'trimmedSeq',
    'forgottenSeq',
    'logBytes',
    'stateVersion',
    'stateKeys',
    'stateBytes',
  ];
  return {
    id: text(id),
    item: text(HEAD),
    gen: text(gen),
    kind: text(kind),
    ...(principal !== null && { principal: text(principal) }),
    listKind: text(kind),
    listOwner: text(ownerOf(kind, principal)),
    createdAt: number(now),
    touchedAt: number(now),
    expiresAt: number(expiresAt),
    ...Object.fromEntries([...counters, 'stateSum', 'epoch'].map((name) => [name, number(0)])),
    dataTtl: number(dataTtl(expiresAt)),
    ttl: number(headTtl(expiresAt)),
  };
}

export function isLive(head: Head, now: number): boolean {
  return head.endedAt === undefined && head.expiresAt > now;
}

/** Partition of the index by principal. A kind holds no space. */
export function ownerOf(kind: string, principal: string | null): string {
  return principal === null ? `${kind} ` : `${kind} =${principal}`;
}

export function headKey(id: string): ItemKey {
  return { id, item: HEAD };
}

export function profileKey(id: string): ItemKey {
  return { id, item: PROFILE };
}

export function stateKey(id: string, key: string, part: number = 0): ItemKey {
  return { id, item: `key#${twoDigits(part)}#${key}` };
}

/** The key and the part of an item of the state. */
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

export function duePartition(shard: number): string {
  return `due ${shard}`;
}

export function parseDueKey({ item }: ItemKey): { readonly id: string; readonly at: number } {
  return { id: item.slice(DIGITS + 1), at: Number(item.slice(0, DIGITS)) };
}

export function eventKey(id: string, seq: number, part: number = 0): ItemKey {
  return { id, item: seqItem(seq, part) };
}

/** Place of an event in its stream. */
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

/** Stream of the trims in the local index. No stream id holds a space. */
export const TRIMS = ' trim';

export function digits(value: number): string {
  return String(value).padStart(DIGITS, '0');
}

/** In Unix seconds. Never before the session's expiry, which is given in milliseconds. */
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
