import type { SessionEvent } from '@mcp-session/core';
import { isMessage } from '../protocol/json-rpc.ts';
import type { AnySession } from '../store/session-handle.ts';
import { isClosedMarker, settledBy } from './markers.ts';
import type { Settlement } from './settlement.ts';
import type { OutgoingEvent } from './sse.ts';
import { seqOf } from './stream-ids.ts';

/** Where to follow a stream. */
export interface FollowOptions {
  readonly streamId: string;
  /** `undefined`: from the oldest event that is kept. */
  readonly after: string | undefined;
  /** Id of the last event to give. Default: it goes on as events come. */
  readonly until?: string | undefined;
  /** Of the requests that the stream answers: it ends when all are settled. Default: it answers none and does not end. */
  readonly settlement?: Settlement | undefined;
  /** Number of the newest event of the stream when the connection was opened: closed markers after it close it. Default: `0`, all do. */
  readonly openedSeq?: number | undefined;
  /** Whether a marker ends the connection, besides a closed marker. Default: none does. */
  readonly endsConnection?: ((marker: unknown) => boolean) | undefined;
  /** The id under which the client gets an event. Default: its own. */
  readonly toWireId?: ((eventId: string) => string) | undefined;
  readonly signal: AbortSignal;
  /** Is asked when reading has failed whether it is to be tried again, and may take its time. Default: it is not. */
  readonly readAgain?: (error: unknown) => Promise<boolean>;
}

/**
 * The messages of a stream after a cursor, then as they come. Of several answers to one request the first is given, see `RequestStatus`.
 *
 * @returns What has ended it: the stream has, the session is over, or a marker says that the connection is.
 */
export async function* follow(
  session: AnySession,
  { settlement, openedSeq = 0, until, endsConnection, toWireId = (id) => id, ...options }: FollowOptions,
): AsyncGenerator<OutgoingEvent, 'stream' | 'session' | 'connection', undefined> {
  for await (const { id, seq, message } of until === undefined
    ? tail(session, options)
    : part(session, options, until)) {
    const settles = settlement === undefined ? undefined : settledBy(message);
    if (settles !== undefined && settlement?.has(settles) === true) continue;
    if (isMessage(message)) yield { id: toWireId(id), message };
    else if (endsConnection?.(message) === true || (seq > openedSeq && isClosedMarker(message))) return 'connection';
    if (settles !== undefined && settlement?.add(settles) === true) return 'stream';
  }
  return until === undefined && !options.signal.aborted ? 'session' : 'stream';
}

async function* part(
  session: AnySession,
  { streamId, after }: Pick<FollowOptions, 'streamId' | 'after'>,
  until: string,
): AsyncGenerator<SessionEvent, void, undefined> {
  for await (const event of session.events.replay({ streamId, after })) {
    if (event.seq > seqOf(until)) return;
    yield event;
  }
}

/** A tail that goes on where it has failed. */
async function* tail(
  session: AnySession,
  { after, readAgain, ...options }: Pick<FollowOptions, 'streamId' | 'after' | 'signal' | 'readAgain'>,
): AsyncGenerator<SessionEvent, void, undefined> {
  for (let last = after; ;) {
    try {
      for await (const event of session.events.tail({ ...options, after: last })) {
        last = event.id;
        yield event;
      }
      return;
    } catch (error) {
      if ((await readAgain?.(error)) !== true) throw error;
    }
  }
}
