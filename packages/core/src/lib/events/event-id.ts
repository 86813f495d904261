import { createHash } from 'node:crypto';
import { SessionError } from '../errors.ts';
import { isStreamId, quote } from '../values/ids.ts';

/** The contents of an event id. */
export interface EventPosition {
  readonly seq: number;
  readonly streamId: string;
}

// Canonical numbers only, so that an event has one id: no leading zero, no sign, no exponent.
const EVENT_ID = /^([1-9][0-9]{0,15})\.([A-Za-z0-9_-]{8})\.([\x21-\x7e]{1,255})$/;

/**
 * Binds event ids to a session, so that the cursor of another session is recognized without a
 * look-up. 48 bits of a SHA-256, which reveal nothing about the id.
 */
export function sessionTag(sessionId: string): string {
  return createHash('sha256').update(sessionId).digest('base64url').slice(0, 8);
}

/**
 * Writes an event id, such as `17.q83vEjRW._GET_stream`. Visible ASCII, so that it survives an SSE
 * `id:` line and the `Last-Event-ID` header; self-contained, so that its stream is known without a
 * look-up.
 */
export function formatEventId(tag: string, { seq, streamId }: EventPosition): string {
  return `${seq}.${tag}.${streamId}`;
}

/** @returns `undefined` if the text is no event id of the session with this tag. */
export function parseEventId(tag: string, id: string): EventPosition | undefined {
  const match = typeof id === 'string' ? EVENT_ID.exec(id) : null;
  if (match === null) return undefined;
  const [, digits = '', idTag, streamId = ''] = match;
  const seq = Number(digits);
  return idTag === tag && Number.isSafeInteger(seq) && isStreamId(streamId) ? { seq, streamId } : undefined;
}

export function invalidCursor(id: unknown): SessionError {
  return new SessionError('INVALID_CURSOR', `Event id ${quote(id)} was not issued for this session and stream`);
}
