import { REMEMBERED_TRIMS } from '../contract/limits.ts';
import { exceeds } from '../contract/paging.ts';
import type { TrimBound } from '../contract/rows.ts';
import { eventBytes, firstAfter, trimmedBytes, type MemoryEvent, type MemorySession, type Records } from './records.ts';

/** The part of a log that is evicted at once, so that not every further write has to evict some. */
const GIVEN_PART = 0.1;

/** What a session wants to store. */
export interface Need {
  readonly session: MemorySession;
  readonly bytes: number;
}

export function trimEvents(records: Records, sessionId: string, bound: TrimBound, now: number): number | undefined {
  const session = records.findLive(sessionId, now);
  if (session === undefined) return undefined;
  let count = 0;
  for (let bytes = session.eventBytes; count < bound.limit; count++) {
    const event = session.events[count];
    if (event === undefined || !exceeds(bound, event, { events: session.events.length - count, bytes })) break;
    bytes -= event.bytes;
  }
  removeOldest(records, session, count);
  return count;
}

/**
 * Counts what sessions want to store, and makes room for it if the store is full.
 *
 * @throws SessionError `STORE_FULL` if there is no room. Nothing was counted then.
 */
export function reserveFor(records: Records, needs: readonly Need[], now: number): void {
  const bytes = needs.reduce((sum, need) => sum + need.bytes, 0);
  const missing = records.missing(bytes, now);
  if (missing > 0) evictOwnEvents(records, needs, missing);
  records.reserve(bytes, now);
}

/**
 * Makes room in a full store: each session that writes evicts its own oldest events, for no more
 * than what it wants to store. No session loses anything to another, and readers see it as a trim.
 * Removes nothing if that is not enough.
 */
function evictOwnEvents(records: Records, needs: readonly Need[], missing: number): void {
  const given: { readonly session: MemorySession; readonly count: number }[] = [];
  let left = missing;
  for (const { session, bytes } of needs) {
    const wanted = Math.min(left, bytes);
    let freed = 0;
    let count = 0;
    for (; freed < wanted && count < session.events.length; count++) freed += freedBytes(session, count);
    left -= Math.min(freed, wanted);
    if (count > 0) given.push({ session, count });
  }
  if (left > 0) return;
  for (const { session, count } of given) {
    removeOldest(records, session, Math.max(count, Math.floor(session.events.length * GIVEN_PART)));
  }
}

/** A lower bound: remembering the trim of its stream takes some room once. */
function freedBytes({ events }: MemorySession, index: number): number {
  const event = events[index];
  return event === undefined ? 0 : eventBytes(event) - trimmedBytes(event.streamId);
}

function removeOldest(records: Records, session: MemorySession, count: number): void {
  const removed = session.events.splice(0, count);
  for (const event of removed) {
    records.release(eventBytes(event));
    session.eventBytes -= event.bytes;
  }
  remember(records, session, removed);
}

/** Removes trimmed events from their streams and remembers the trims. */
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
    if (session.trimmed.size <= REMEMBERED_TRIMS) return;
    session.trimmed.delete(oldest);
    records.release(trimmedBytes(oldest));
    session.forgottenSeq = Math.max(session.forgottenSeq, seq);
  }
}
