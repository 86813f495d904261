import { passes, REMEMBERED_TOKENS } from '../contract/limits.ts';
import { takePage } from '../contract/paging.ts';
import type { AppendRequest, AppendResult, EventPage, EventQuery, EventRow, PolledHead } from '../contract/rows.ts';
import { eventBytes, firstAfter, type MemoryEvent, type MemorySession, type Records } from './records.ts';
import { reserveFor, type Need } from './trim.ts';

export function appendEvents(
  records: Records,
  batch: readonly AppendRequest[],
  now: number,
): (AppendResult | undefined)[] {
  reserveFor(records, needsOf(records, batch, now), now);
  return batch.map((request) => append(records, request, now));
}

export function readEvents(records: Records, query: EventQuery, now: number): EventPage | undefined {
  const { sessionId, streamId, afterSeq } = query;
  const session = records.findLive(sessionId, now);
  if (session === undefined) return undefined;
  const log = streamId === undefined ? session.events : (session.streams.get(streamId) ?? []);
  const { events, more } = afterSeq === undefined ? takeNewest(log, query) : takeOldest(log, afterSeq, query);
  return {
    events: events.map(toRow),
    more,
    lastSeq: session.row.lastSeq,
    trimmedSeq:
      streamId === undefined
        ? session.row.lastSeq - session.events.length
        : (session.trimmed.get(streamId) ?? session.forgottenSeq),
    afterStreamId: afterSeq === undefined ? undefined : session.events[afterSeq - firstSeq(session)]?.streamId,
  };
}

export function readHeads(records: Records, ids: readonly string[], now: number): ReadonlyMap<string, PolledHead> {
  const heads = new Map<string, PolledHead>();
  for (const id of ids) {
    const session = records.findLive(id, now);
    if (session !== undefined) heads.set(id, { lastSeq: session.row.lastSeq, expiresAt: session.row.expiresAt });
  }
  return heads;
}

function needsOf(records: Records, batch: readonly AppendRequest[], now: number): Need[] {
  return batch.flatMap(({ sessionId, token, events }) => {
    const session = records.findLive(sessionId, now);
    if (session === undefined || knownSeq(session, token) !== undefined) return [];
    return [{ session, bytes: events.reduce((sum, event) => sum + eventBytes(event), 0) }];
  });
}

function append(
  records: Records,
  { sessionId, token, events, expiresAt }: AppendRequest,
  now: number,
): AppendResult | undefined {
  const session = records.renewLive(sessionId, expiresAt, now);
  if (session === undefined) return undefined;
  const { row } = session;
  const known = knownSeq(session, token);
  const firstSeq = known ?? row.lastSeq + 1;
  if (known === undefined) {
    for (const { streamId, message, bytes } of events) {
      const event = { seq: ++row.lastSeq, streamId, message, createdAt: now, bytes };
      session.events.push(event);
      session.eventBytes += bytes;
      const stream = session.streams.get(streamId);
      if (stream === undefined) session.streams.set(streamId, [event]);
      else stream.push(event);
    }
    forgetTokens(session, firstSeq);
    session.tokens.set(token, firstSeq);
  }
  return { firstSeq, retainedEvents: session.events.length, retainedBytes: session.eventBytes };
}

function knownSeq({ tokens, olderTokens }: MemorySession, token: string): number | undefined {
  return tokens.get(token) ?? olderTokens.get(token);
}

/**
 * Forgets a generation of tokens with each thousand events. Removing them one by one would cost
 * more than looking them up.
 */
function forgetTokens(session: MemorySession, firstSeq: number): void {
  if (!passes(REMEMBERED_TOKENS, firstSeq - 1, session.row.lastSeq)) return;
  session.olderTokens = session.tokens;
  session.tokens = new Map();
}

function firstSeq(session: MemorySession): number {
  return session.row.lastSeq - session.events.length + 1;
}

interface Taken {
  readonly events: readonly MemoryEvent[];
  readonly more: boolean;
}

function takeOldest(log: readonly MemoryEvent[], afterSeq: number, query: EventQuery): Taken {
  const start = firstAfter(log, afterSeq);
  const { rows: events, more } = takePage(log.slice(start, start + query.limit + 1), query);
  return { events, more };
}

function takeNewest(log: readonly MemoryEvent[], query: EventQuery): Taken {
  const { rows } = takePage(log.slice(-query.limit).toReversed(), query);
  return { events: rows.toReversed(), more: false };
}

function toRow({ seq, streamId, message, createdAt }: EventRow): EventRow {
  return { seq, streamId, message, createdAt };
}
