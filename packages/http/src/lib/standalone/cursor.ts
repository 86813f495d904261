import type { AnySession } from '../store/session-handle.ts';
import { STANDALONE_STREAM } from '../stream/stream-ids.ts';

/**
 * Where a client is in the session's standalone stream.
 *
 * A generation is what a client resumes: the connection that it opened without a cursor, and those that it opened with the cursors of it. The cursors of a
 * generation end with its number, but for the first one. So a client that has opened two, which both SDK lines do after they have lost the first frame of a stream
 * that they resume, is not told everything twice by taking the stream from itself again and again.
 */
export interface StandaloneCursor {
  /** Id of the last event that the client has. */
  readonly id: string;
  readonly generation: number;
}

const LATER_GENERATION = new RegExp(`^${STANDALONE_STREAM}(\\.(?:[2-9]|[1-9][0-9]{1,14}))$`);

/** An event's id as the client of a generation gets it. */
export function wireId(eventId: string, generation: number): string {
  return generation === 1 ? eventId : `${eventId}.${generation}`;
}

/** @returns `undefined` where the cursor is none of the standalone stream. */
export function parseStandaloneCursor(session: AnySession, cursor: string): StandaloneCursor | undefined {
  const streamId = session.events.streamOf(cursor);
  if (streamId === STANDALONE_STREAM) return { id: cursor, generation: 1 };
  const [, suffix] = LATER_GENERATION.exec(streamId ?? '') ?? [];
  return suffix === undefined
    ? undefined
    : { id: cursor.slice(0, -suffix.length), generation: Number(suffix.slice(1)) };
}
