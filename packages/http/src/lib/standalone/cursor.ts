import type { AnySession } from '../store/session-handle.ts';
import { STANDALONE_STREAM } from '../stream/stream-ids.ts';

/**
 * Where a client is in the session's standalone stream.
 *
 * A generation is one connection that a client opened without a cursor, with all connections that
 * resume it. The cursors of a generation end with its number, except those of the first one. Both
 * SDKs can open a second stream after losing the first frame of a resumed one. Generations keep the
 * two from stealing the stream from each other.
 */
export interface StandaloneCursor {
  /** Id of the last event that the client has. */
  readonly id: string;
  readonly generation: number;
}

const LATER_GENERATION = new RegExp(`^${STANDALONE_STREAM}(\\.(?:[2-9]|[1-9][0-9]{1,14}))$`);

/** The id under which the client of a generation gets an event. */
export function wireId(eventId: string, generation: number): string {
  return generation === 1 ? eventId : `${eventId}.${generation}`;
}

/** @returns `undefined` if the cursor does not belong to the standalone stream. */
export function parseStandaloneCursor(session: AnySession, cursor: string): StandaloneCursor | undefined {
  const streamId = session.events.streamOf(cursor);
  if (streamId === STANDALONE_STREAM) return { id: cursor, generation: 1 };
  const [, suffix] = LATER_GENERATION.exec(streamId ?? '') ?? [];
  return suffix === undefined
    ? undefined
    : { id: cursor.slice(0, -suffix.length), generation: Number(suffix.slice(1)) };
}
