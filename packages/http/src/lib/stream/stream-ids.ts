import { createHash } from 'node:crypto';
import type { RequestId } from '../protocol/json-rpc.ts';

/** The stream of messages that belong to no request. Both SDK lines give it this name. */
export const STANDALONE_STREAM = '_GET_stream';

/**
 * The stream on which the nodes of a session leave messages for each other. No client can name it.
 */
export const NODES_STREAM = '_nodes';

/**
 * The name of a request's stream: how many requests share it, the node that runs them, a digest of
 * the scopes of their token, a name that this node gives it, and the id of a single request.
 *
 * They are part of the name for the time when the beginning of the stream was trimmed: with the
 * count, its end can be recognized, with the digest, a weaker token can be refused, and with the
 * id, the request can be answered with an error.
 */
const REQUEST_STREAM =
  /^req-([1-9][0-9]?|100)-([A-Za-z0-9_]+)-(?:s([0-9a-f]{16}))?[0-9a-z]+(?:-(?:(0|[1-9][0-9]*)|_([A-Za-z0-9_-]+)))?$/;
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
  /** See {@link scopesDigest}; `undefined`: the requests' token has no scopes. */
  readonly scopes: string | undefined;
  /**
   * The id of the only request; `undefined`: there are several, or the id is no part of the name.
   */
  readonly requestId: RequestId | undefined;
}

/**
 * @param name Tells it from others of that node: 12 hexadecimal digits, then digits and lower-case
 * letters.
 * @param scopes The scopes of the requests' token.
 */
export function requestStreamId(
  ids: readonly RequestId[],
  nodeId: string,
  name: string,
  scopes: readonly string[],
): string {
  const [id] = ids.length === 1 ? ids : [];
  const digest = scopesDigest(scopes);
  const named = digest === undefined ? name : `s${digest}${name}`;
  return `req-${ids.length}-${nodeId}-${named}${id === undefined ? '' : encodeId(id)}`;
}

/**
 * Tells sets of scopes apart: 64 bits of a SHA-256, as hexadecimal digits. `undefined`: there are
 * none.
 */
export function scopesDigest(scopes: readonly string[]): string | undefined {
  if (scopes.length === 0) return undefined;
  const text = JSON.stringify([...new Set(scopes)].toSorted());
  return createHash('sha256').update(text).digest('hex').slice(0, 16);
}

function encodeId(id: RequestId): string {
  if (typeof id === 'number') return Number.isSafeInteger(id) && id >= 0 ? `-${id}` : '';
  const bytes = Buffer.from(id);
  return bytes.length > 0 && bytes.length <= MAX_ID_BYTES ? `-_${bytes.toString('base64url')}` : '';
}

/** @returns `undefined` where it is no request's stream. */
export function parseRequestStream(streamId: string): RequestStream | undefined {
  const [, count, nodeId, scopes, number, text] = REQUEST_STREAM.exec(streamId) ?? [];
  if (count === undefined || nodeId === undefined) return undefined;
  const named = number === undefined ? undefined : Number(number);
  const requestId = text === undefined ? named : Buffer.from(text, 'base64url').toString();
  return { streamId, requestCount: Number(count), nodeId, scopes, requestId };
}

/** How many events of a session came after a cursor, on all its streams. */
export function behind(cursor: string, lastSeq: number): number {
  return Math.max(0, lastSeq - seqOf(cursor));
}

/** The number of an event, with which its id begins (docs/decisions/003-event-ids.md). */
export function seqOf(eventId: string): number {
  return Number.parseInt(eventId, 10);
}
