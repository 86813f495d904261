/** The stream of messages that belong to no request. Both SDK lines give it this name. */
export const STANDALONE_STREAM = '_GET_stream';

/**
 * The stream on which the nodes of a session leave messages for each other. No client can name it.
 */
export const NODES_STREAM = '_nodes';

/**
 * The name of a request's stream: how many requests share it, the node that runs them, and a name
 * that this node gives it.
 *
 * The count is part of the name so that the end of the stream can be recognized even after its
 * beginning was trimmed.
 */
const REQUEST_STREAM = /^req-([1-9][0-9]?|100)-([A-Za-z0-9_]+)-([0-9a-z]+)$/;

/** The stream of one POST. */
export interface RequestStream {
  readonly streamId: string;
  /**
   * How many requests it answers. It ends after the last answer (MCP 2025-03-26, basic/transports:
   * a batch shares one stream).
   */
  readonly requestCount: number;
  /** The node that runs them. */
  readonly nodeId: string;
}

/** @param name Tells it from others of that node: digits and lower-case letters. */
export function requestStream(requestCount: number, nodeId: string, name: string): RequestStream {
  return { streamId: `req-${requestCount}-${nodeId}-${name}`, requestCount, nodeId };
}

/** @returns `undefined` where it is no request's stream. */
export function parseRequestStream(streamId: string): RequestStream | undefined {
  const [, count, nodeId] = REQUEST_STREAM.exec(streamId) ?? [];
  return count === undefined || nodeId === undefined ? undefined : { streamId, requestCount: Number(count), nodeId };
}

/** The number of an event, with which its id begins (docs/decisions/003-event-ids.md). */
export function seqOf(eventId: string): number {
  return Number.parseInt(eventId, 10);
}
