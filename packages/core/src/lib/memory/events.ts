import type { AppendRequest, AppendResult, EventPage, EventQuery, EventRow, Head, TrimBound } from '../rows.ts';
import {
  eventBytes,
  MAX_TRIMMED_STREAMS,
  trimmedBytes,
  type MemoryEvent,
  type MemorySession,
  type Records,
} from './records.ts';

/** Tokens are remembered at least while their events are among so many newest. */
const REMEMBERED_EVENTS = 1_000;

export function appendEvents(
  records: Records,
  batch: readonly AppendRequest[],
  now: number,
): (AppendResult | undefined)[] {
  let total = 0;
  for (const { sessionId, token, events } of batch)
    if (records.live(sessionId, now)?.tokens.has(token) === false)
      for (const event of events) total += eventBytes(event);
  records.reserve(total, now);
  return batch.map((request) => append(records, request, now));
}

export function readEvents(records: Records, query: EventQuery, now: number): EventPage | undefined {
  const { sessionId, streamId, afterSeq, limit, maxBytes } = query;
  const session = records.live(sessionId, now);
  if (session === undefined) return undefined;
  const log = streamId === undefined ? session.events : (session.streams.get(streamId) ?? []);
  const events =
    afterSeq === undefined
      ? takeNewest(log, limit, maxBytes)
      : takeOldest(log, firstAfter(log, afterSeq), limit, maxBytes);
  return {
    events: events.map(toRow),
    more:
      afterSeq !== undefined && (events.at(-1)?.seq ?? 0) < (log.at(-1)?.seq ?? 0) && (log.at(-1)?.seq ?? 0) > afterSeq,
    lastSeq: session.row.lastSeq,
    trimmedSeq:
      streamId === undefined
        ? session.row.lastSeq - session.events.length
        : (session.trimmed.get(streamId) ?? session.forgottenSeq),
    afterStreamId: afterSeq === undefined ? undefined : session.events[afterSeq - firstSeq(session)]?.streamId,
  };
}

export function trimEvents(records: Records, sessionId: string, bound: TrimBound, now: number): number | undefined {
  const session = records.live(sessionId, now);
  if (session === undefined) return undefined;
  let count = 0;
  for (let bytes = session.eventBytes; count < bound.limit; count++) {
    const event = session.events[count];
    if (event === undefined || !exceeds(bound, event, session.events.length - count, bytes)) break;
    bytes -= event.bytes;
  }
  const removed = session.events.splice(0, count);
  for (const event of removed) {
    records.release(eventBytes(event));
    session.eventBytes -= event.bytes;
  }
  remember(records, session, removed);
  return count;
}

export function readHeads(records: Records, ids: readonly string[], now: number): ReadonlyMap<string, Head> {
  const heads = new Map<string, Head>();
  for (const id of ids) {
    const session = records.live(id, now);
    if (session !== undefined) heads.set(id, { lastSeq: session.row.lastSeq, expiresAt: session.row.expiresAt });
  }
  return heads;
}

function append(
  records: Records,
  { sessionId, token, events, expiresAt }: AppendRequest,
  now: number,
): AppendResult | undefined {
  const session = records.renewed(sessionId, expiresAt, now);
  if (session === undefined) return undefined;
  const { row } = session;
  const known = session.tokens.get(token);
  const firstSeq = known?.firstSeq ?? row.lastSeq + 1;
  if (known === undefined) {
    for (const { streamId, message, bytes } of events) {
      const event = { seq: ++row.lastSeq, streamId, message, createdAt: now, bytes };
      session.events.push(event);
      session.eventBytes += bytes;
      const stream = session.streams.get(streamId);
      if (stream === undefined) session.streams.set(streamId, [event]);
      else stream.push(event);
    }
    session.tokens.set(token, { firstSeq, lastSeq: row.lastSeq });
    forgetTokens(session, firstSeq);
  }
  return { firstSeq, retainedEvents: session.events.length, retainedBytes: session.eventBytes };
}

/** Once in so many events, since going through a map from which the first was removed over and over costs what was removed as well. */
function forgetTokens({ row: { lastSeq }, tokens }: MemorySession, firstSeq: number): void {
  if (Math.floor(lastSeq / REMEMBERED_EVENTS) === Math.floor((firstSeq - 1) / REMEMBERED_EVENTS)) return;
  for (const [oldest, known] of tokens) {
    if (known.lastSeq > lastSeq - REMEMBERED_EVENTS) return;
    tokens.delete(oldest);
  }
}

function exceeds(bound: TrimBound, event: MemoryEvent, events: number, bytes: number): boolean {
  return (
    (bound.maxEvents !== undefined && events > bound.maxEvents) ||
    (bound.maxBytes !== undefined && bytes > bound.maxBytes) ||
    (bound.createdBefore !== undefined && event.createdAt < bound.createdBefore) ||
    (bound.throughSeq !== undefined && event.seq <= bound.throughSeq)
  );
}

/** Takes trimmed events out of their streams and remembers that they were there. */
function remember(records: Records, session: MemorySession, removed: readonly MemoryEvent[]): void {
  const trimmed = new Map(removed.map(({ streamId, seq }) => [streamId, seq]));
  for (const [streamId, seq] of trimmed) {
    const stream = session.streams.get(streamId) ?? [];
    stream.splice(0, firstAfter(stream, seq));
    if (stream.length === 0) session.streams.delete(streamId);
    if (!session.trimmed.delete(streamId)) records.release(-trimmedBytes(streamId));
    session.trimmed.set(streamId, seq);
  }
  for (const [oldest, seq] of session.trimmed) {
    if (session.trimmed.size <= MAX_TRIMMED_STREAMS) return;
    session.trimmed.delete(oldest);
    records.release(trimmedBytes(oldest));
    session.forgottenSeq = Math.max(session.forgottenSeq, seq);
  }
}

function firstSeq(session: MemorySession): number {
  return session.row.lastSeq - session.events.length + 1;
}

/** Index of the first event with a greater number, by halving. */
function firstAfter(log: readonly MemoryEvent[], afterSeq: number): number {
  let low = 0;
  for (let high = log.length; low < high;) {
    const middle = (low + high) >>> 1;
    if ((log[middle]?.seq ?? 0) > afterSeq) high = middle;
    else low = middle + 1;
  }
  return low;
}

function takeOldest(
  log: readonly MemoryEvent[],
  start: number,
  limit: number,
  maxBytes: number,
): readonly MemoryEvent[] {
  let end = start;
  for (let bytes = 0; end < log.length && end - start < limit; end++) {
    bytes += log[end]?.bytes ?? 0;
    if (bytes > maxBytes && end > start) break;
  }
  return log.slice(start, end);
}

function takeNewest(log: readonly MemoryEvent[], limit: number, maxBytes: number): readonly MemoryEvent[] {
  let start = log.length;
  for (let bytes = 0; start > 0 && log.length - start < limit; start--) {
    bytes += log[start - 1]?.bytes ?? 0;
    if (bytes > maxBytes && start < log.length) break;
  }
  return log.slice(start);
}

function toRow({ seq, streamId, message, createdAt }: EventRow): EventRow {
  return { seq, streamId, message, createdAt };
}
