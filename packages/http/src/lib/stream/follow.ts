import { isMessage } from '../protocol/json-rpc.ts';
import { isClosedMarker, settledBy } from './markers.ts';
import type { Settlement } from './settlement.ts';
import type { OutgoingEvent } from './sse.ts';
import { seqOf } from './stream-ids.ts';
import type { StreamReader } from './stream-reader.ts';

/** What to send of a stream, and where to end. */
export interface FollowOptions {
  /** Id of the last event to send. Default: none, new events are sent as they come. */
  readonly until?: string | undefined;
  /**
   * The requests that the stream answers: it ends when all are settled. Default: it answers none
   * and does not end.
   */
  readonly settlement?: Settlement | undefined;
  /**
   * Events up to this sequence number are older than the connection: messages have no `storedAt`,
   * and closed markers do not close the connection. Default: `0`.
   */
  readonly openedSeq?: number | undefined;
  /** Returns whether another marker ends the connection. Default: none does. */
  readonly endsConnection?: ((marker: unknown) => boolean) | undefined;
  /** Returns the id under which the client gets an event. Default: the event's own id. */
  readonly toWireId?: ((eventId: string) => string) | undefined;
}

/**
 * Turns the events of a stream into what its client gets. If a request has several responses, only
 * the first one is sent, see `RequestStatus`.
 *
 * @returns What ended it: the stream is complete, the session ended, or a marker closed the
 * connection.
 */
export async function* follow(
  reader: StreamReader,
  { settlement, openedSeq = 0, until, endsConnection, toWireId = (id) => id }: FollowOptions,
): AsyncGenerator<OutgoingEvent, 'stream' | 'session' | 'connection', undefined> {
  const untilSeq = until === undefined ? Number.POSITIVE_INFINITY : seqOf(until);
  for (;;) {
    const event = await reader.next();
    if (event === undefined) return reader.closed.aborted ? 'stream' : 'session';
    const { id, seq, message, createdAt } = event;
    if (seq > untilSeq) return 'stream';
    const settles = settlement === undefined ? undefined : settledBy(message);
    if (settles === undefined || settlement?.has(settles) !== true) {
      const isNew = seq > openedSeq;
      if (isMessage(message)) yield { id: toWireId(id), message, storedAt: isNew ? createdAt : undefined };
      else if (endsConnection?.(message) === true || (isNew && isClosedMarker(message))) return 'connection';
      if (settles !== undefined && settlement?.add(settles) === true) return 'stream';
    }
    if (seq === untilSeq) return 'stream';
  }
}
