import { isMessage, isRequestId, isResponse, type RequestId } from '../protocol/json-rpc.ts';

// Markers are events that the nodes leave for each other in a stream. None of them is sent to a
// client.

/**
 * The first event of a request's stream: the ids of its requests, and the scopes of their token.
 * The event's id is the client's first cursor.
 */
interface Opened {
  readonly opened: readonly RequestId[];
  /** Default: none. */
  readonly scopes?: readonly string[];
}

/** Takes the place of a response: the client cancelled the request and is owed none. */
interface Ended {
  readonly ended: RequestId;
}

/**
 * The handler of a request closed the connections that its stream had at this moment, on every
 * node.
 */
interface Closed {
  readonly closed: true;
}

/** Another connection took over the standalone stream: earlier ones end here. */
interface Taken {
  readonly listener: number;
}

/** Another node has a client that wants the standalone stream: its owner looks after its own. */
interface Challenged {
  readonly challenged: number;
}

export function openedMarker(ids: readonly RequestId[], scopes: readonly string[]): Opened {
  return { opened: ids, ...(scopes.length > 0 && { scopes }) };
}

export function endedMarker(id: RequestId): Ended {
  return { ended: id };
}

export function closedMarker(): Closed {
  return { closed: true };
}

export function takenMarker(epoch: number): Taken {
  return { listener: epoch };
}

export function challengedMarker(epoch: number): Challenged {
  return { challenged: epoch };
}

/** The requests for which a stream was opened; `undefined` unless the event is an opened marker. */
export function openedBy(message: unknown): readonly RequestId[] | undefined {
  return (message as Partial<Opened> | null)?.opened;
}

/** The scopes of the token with which a stream was opened. */
export function scopesOf(message: unknown): readonly string[] {
  return (message as Partial<Opened> | null)?.scopes ?? [];
}

/** The request that an event settles, by a response or an ended marker; `undefined`: none. */
export function settledBy(message: unknown): RequestId | undefined {
  if (isMessage(message)) return isResponse(message) ? message.id : undefined;
  const ended = (message as Partial<Ended> | null)?.ended;
  return isRequestId(ended) ? ended : undefined;
}

export function isClosedMarker(message: unknown): boolean {
  return (message as Partial<Closed> | null)?.closed === true;
}

/**
 * The epoch of the connection that took over the standalone stream; 0 unless the event is a taken
 * marker.
 */
export function takenBy(message: unknown): number {
  const epoch = (message as Partial<Taken> | null)?.listener;
  return typeof epoch === 'number' ? epoch : 0;
}

/** The epoch of the connection that is challenged; 0 unless the event is a challenged marker. */
export function challengedBy(message: unknown): number {
  const epoch = (message as Partial<Challenged> | null)?.challenged;
  return typeof epoch === 'number' ? epoch : 0;
}
