import { EventsTrimmedError } from '../errors.ts';
import { invalidCursor, parseEventId, type EventPosition } from './event-id.ts';
import { checkStreamId } from '../values/ids.ts';
import type { SessionBackend } from '../contract/backend.ts';
import type { EventPage } from '../contract/rows.ts';
import type { SessionContext } from '../session/context.ts';

const PAGE_EVENTS = 1_000;
export const PAGE_BYTES = 1_048_576;

/** Where to start reading, and which stream. */
export interface PagesQuery {
  readonly after?: string | undefined;
  readonly streamId?: string | undefined;
}

/**
 * Reads pages after a cursor, without end. An empty page means that there is nothing more for now.
 * A gap is an error, never a shorter answer.
 *
 * Without a cursor the reader asks for what is kept, and retention may trim the log meanwhile.
 * Until the first event is delivered, trimmed events are skipped silently and reading starts at the
 * oldest retained event. After that, a gap throws.
 *
 * @param follow Whether events appended after the start count as promised too.
 * @throws EventsTrimmedError
 * @throws SessionError `INVALID_CURSOR`, `INVALID_STREAM_ID`, `SESSION_NOT_FOUND`
 */
export async function* readPages(
  session: SessionContext,
  tag: string,
  { after, streamId }: PagesQuery,
  follow: boolean,
): AsyncGenerator<EventPage, never, undefined> {
  if (streamId !== undefined) checkStreamId(streamId);
  const cursor = after === undefined ? undefined : cursorOf(tag, after, streamId);
  let afterSeq = cursor?.seq ?? 0;
  // Events up to this number were not promised, even if they follow `afterSeq`.
  let unpromisedSeq = 0;
  let isFirst = true;
  for (;;) {
    const query = { sessionId: session.id, streamId, afterSeq, limit: PAGE_EVENTS, maxBytes: PAGE_BYTES };
    const page = session.alive(await session.callAndTouch((backend, now) => backend.readEvents(query, now)));
    if (!isFirst && page.trimmedSeq > Math.max(afterSeq, unpromisedSeq)) {
      throw new EventsTrimmedError(afterSeq, page.trimmedSeq);
    }
    if (isFirst && cursor !== undefined) verify(page, cursor, after);
    if (isFirst && cursor === undefined) unpromisedSeq = follow ? page.lastSeq : Infinity;
    isFirst = false;
    if (page.events.length > 0) unpromisedSeq = 0;
    // The read covered everything up to `lastSeq`, other streams included: numbers follow the order
    // of commits.
    afterSeq = page.more ? (page.events.at(-1)?.seq ?? afterSeq) : Math.max(page.lastSeq, afterSeq);
    yield page;
  }
}

/** @throws SessionError `INVALID_CURSOR` if the id belongs to another session or another stream. */
export function cursorOf(tag: string, id: string, streamId: string | undefined): EventPosition {
  const position = parseEventId(tag, id);
  if (position === undefined || (streamId !== undefined && streamId !== position.streamId)) throw invalidCursor(id);
  return position;
}

/**
 * @throws SessionError `INVALID_CURSOR` if, as far as its log can tell, the session never had this
 * event.
 */
export async function checkIssued(
  session: SessionContext,
  cursor: EventPosition,
  id: string | undefined,
  backend: SessionBackend,
): Promise<void> {
  const query = { sessionId: session.id, streamId: cursor.streamId, afterSeq: cursor.seq, limit: 1, maxBytes: 1 };
  const page = session.alive(await session.callAndTouch((each, now) => each.readEvents(query, now), backend));
  if (!wasIssued(page, cursor)) throw invalidCursor(id);
}

/** Refuses a cursor that was never issued, and a replay with a gap. */
function verify(page: EventPage, cursor: EventPosition, id: string | undefined): void {
  if (!wasIssued(page, cursor)) throw invalidCursor(id);
  if (page.afterStreamId === undefined && page.trimmedSeq > cursor.seq) {
    throw new EventsTrimmedError(cursor.seq, page.trimmedSeq);
  }
}

function wasIssued(page: EventPage, { seq, streamId }: EventPosition): boolean {
  // If the event itself was trimmed, the trims of its stream must include its number.
  return page.afterStreamId === undefined ? page.trimmedSeq >= seq : page.afterStreamId === streamId;
}
