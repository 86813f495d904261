import type { RequestId } from '../protocol/json-rpc.ts';

/** The stream of messages that belong to no request. Both SDK lines give it this name. */
export const STANDALONE_STREAM = '_GET_stream';

/**
 * The stream on which the nodes of a session leave messages for each other. No client can name it.
 */
export const NODES_STREAM = '_nodes';

/**
 * The name of a request's stream: how many requests share it, the node that runs them, a name that
 * this node gives it, and the id of a single request.
 *
 * The count is part of the name so that the end of the stream can be recognized even after its
 * beginning was trimmed, and the id so that the request can be answered with an error then.
 */
const REQUEST_STREAM = /^req-([1-9][0-9]?|100)-([A-Za-z0-9_]+)-([0-9a-z]+)(?:-(?:(0|[1-9][0-9]*)|_([A-Za-z0-9_-]+)))?$/;
/** Longer ids of requests are not part of the name. In bytes. */
const MAX_ID_BYTES = 48;

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
  /**
   * The id of the only request; `undefined`: there are several, or the id is no part of the name.
   */
  readonly requestId: RequestId | undefined;
}

/** @param name Tells it from others of that node: digits and lower-case letters. */
export function requestStreamId(ids: readonly RequestId[], nodeId: string, name: string): string {
  const [id] = ids.length === 1 ? ids : [];
  return `req-${ids.length}-${nodeId}-${name}${id === undefined ? '' : encodeId(id)}`;
}

function encodeId(id: RequestId): string {
  if (typeof id === 'number') return Number.isSafeInteger(id) && id >= 0 ? `-${id}` : '';
  const bytes = Buffer.from(id);
  return bytes.length > 0 && bytes.length <= MAX_ID_BYTES ? `-_${bytes.toString('base64url')}` : '';
}

/** @returns `undefined` where it is no request's stream. */
export function parseRequestStream(streamId: string): RequestStream | undefined {
  const [, count, nodeId, , number, text] = REQUEST_STREAM.exec(streamId) ?? [];
  if (count === undefined || nodeId === undefined) return undefined;
  const named = number === undefined ? undefined : Number(number);
  const requestId = text === undefined ? named : Buffer.from(text, 'base64url').toString();
  return { streamId, requestCount: Number(count), nodeId, requestId };
}

/** How many events of a session came after a cursor, on all its streams. */
export function behind(cursor: string, lastSeq: number): number {
  return Math.max(0, lastSeq - seqOf(cursor));
}

/** The number of an event, with which its id begins (docs/decisions/003-event-ids.md). */
export function seqOf(eventId: string): number {
  return Number.parseInt(eventId, 10);
}
