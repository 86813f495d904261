import { SessionError, type SessionErrorCode } from '@mcp-session/core';
import { jsonOf } from './buffered-body.ts';
import { INTERNAL_ERROR, INVALID_REQUEST, SERVER_ERROR, SESSION_NOT_FOUND } from './json-rpc.ts';
import { type RefusalReason, reasonOf } from './refusal-reason.ts';

/** An error with the HTTP response for it. */
export class HttpError extends Error {
  override readonly name = 'HttpError';
  readonly status: number;
  readonly rpcCode: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly reason: RefusalReason;

  constructor(
    status: number,
    message: string,
    rpcCode: number = SERVER_ERROR,
    headers: Readonly<Record<string, string>> = {},
    reason: RefusalReason = reasonOf(status),
  ) {
    super(message);
    this.status = status;
    this.rpcCode = rpcCode;
    this.headers = headers;
    this.reason = reason;
  }
}

/** A response with a JSON-RPC error without an id, as in both SDK lines. */
export function jsonError(
  status: number,
  message: string,
  code: number,
  headers: Readonly<Record<string, string>> = {},
): Response {
  return jsonOf({ jsonrpc: '2.0', error: { code, message }, id: null }, headers, status);
}

/** An error that passes by itself: a GET waits instead. */
class PassingError extends HttpError {}

/** A server was not made or restored in time. */
export function notReady(): HttpError {
  return new PassingError(503, 'Server was not ready in time', INTERNAL_ERROR, RETRY_AFTER, 'not-ready');
}

/**
 * The local session was closed during the request. The client's retry finds it restored, or ended.
 */
export function sessionMoves(): HttpError {
  return new PassingError(503, 'Session is being moved', undefined, { 'retry-after': '1' }, 'moving');
}

export function closing(): HttpError {
  return new PassingError(503, 'Server is shutting down', undefined, { 'retry-after': '1' }, 'closing');
}

/**
 * The same response for an id that is unknown, expired, ended or another principal's: a client must
 * not learn which.
 */
export function sessionNotFound(): HttpError {
  return new HttpError(404, 'Session not found', SESSION_NOT_FOUND);
}

/** @param allow The methods that the client may use. */
export function notAllowed(allow: string): HttpError {
  return new HttpError(405, 'Method not allowed.', undefined, { allow });
}

/** After how many seconds a client may retry when the store failed. */
const RETRY_AFTER_SECONDS = '2';
export const RETRY_AFTER: Readonly<Record<string, string>> = { 'retry-after': RETRY_AFTER_SECONDS };

/** Whether the store failed, rather than the call being wrong. */
export function isStoreFailure(error: unknown): boolean {
  return error instanceof SessionError && error.code.startsWith('STORE_');
}

const UNAVAILABLE = new HttpError(503, 'Session store is unavailable', SERVER_ERROR, RETRY_AFTER, 'store');
/**
 * A fault of this package, of the application or of its configuration: the client cannot help it.
 */
const SERVER_FAULT = new HttpError(500, 'Internal server error', INTERNAL_ERROR);

/** The response for each code. */
const RESPONSES: Readonly<Record<SessionErrorCode, HttpError>> = {
  SESSION_NOT_FOUND: sessionNotFound(),
  INVALID_CURSOR: new HttpError(400, 'Last-Event-ID was not issued for this session'),
  // Not 404, which means that the session has ended (MCP 2025-11-25, basic/transports, Session
  // Management).
  EVENTS_TRIMMED: new HttpError(410, 'Events after Last-Event-ID are no longer kept'),
  // The parameters of initialize are stored with the session.
  PROFILE_TOO_LARGE: new HttpError(
    413,
    'Payload Too Large: the part of the message that is stored with the session is too large',
  ),
  // A client's message that is forwarded to another node.
  EVENT_TOO_LARGE: new HttpError(413, 'Payload Too Large: message is larger than the session store takes'),
  NOT_JSON: new HttpError(400, 'Invalid Request: message cannot be stored', INVALID_REQUEST),
  PROFILE_CONFLICT: new HttpError(503, 'Session is being changed by others', SERVER_ERROR, RETRY_AFTER, 'store'),
  STORE_BUSY: UNAVAILABLE,
  STORE_CLOSED: UNAVAILABLE,
  STORE_CORRUPT: UNAVAILABLE,
  STORE_DENIED: UNAVAILABLE,
  STORE_FAILED: UNAVAILABLE,
  STORE_FULL: UNAVAILABLE,
  STORE_READ_ONLY: UNAVAILABLE,
  STORE_SCHEMA_TOO_NEW: UNAVAILABLE,
  STORE_UNAVAILABLE: UNAVAILABLE,
  // From generateSessionId, from principal, or from the application's use of its session before the
  // response.
  SESSION_EXISTS: SERVER_FAULT,
  INVALID_SESSION_ID: SERVER_FAULT,
  INVALID_PRINCIPAL: SERVER_FAULT,
  INVALID_KIND: SERVER_FAULT,
  INVALID_STREAM_ID: SERVER_FAULT,
  INVALID_STATE_KEY: SERVER_FAULT,
  INVALID_STATE_VALUE: SERVER_FAULT,
  STATE_CONFLICT: SERVER_FAULT,
  STATE_KEY_UNDECLARED: SERVER_FAULT,
  STATE_LIMIT_EXCEEDED: SERVER_FAULT,
  STATE_VALUE_TOO_LARGE: SERVER_FAULT,
  // From the application's use of its handles: a tool renders them as its result.
  HANDLE_EXPIRED: SERVER_FAULT,
  HANDLE_LIMIT_REACHED: SERVER_FAULT,
  HANDLE_NOT_FOUND: SERVER_FAULT,
  // The SDK answers it with a JSON-RPC error.
  INVALID_REQUEST_STATE: SERVER_FAULT,
};

/** Failures of the store that do not pass by themselves. */
const PERMANENT: ReadonlySet<SessionErrorCode> = new Set(['STORE_CORRUPT', 'STORE_DENIED', 'STORE_SCHEMA_TOO_NEW']);

/** Whether the same request may succeed a little later. */
export function isPassing(error: unknown): boolean {
  if (error instanceof PassingError) return true;
  return error instanceof SessionError && responseFor(error).status === 503 && !PERMANENT.has(error.code);
}

/** The HTTP error that a client gets for an error. */
export function responseFor(error: unknown): HttpError {
  if (error instanceof HttpError) return error;
  // A newer core may have codes that are unknown here.
  return error instanceof SessionError ? (RESPONSES[error.code] ?? SERVER_FAULT) : SERVER_FAULT;
}

/**
 * The response for an error that was thrown while a request was handled. It reveals nothing about
 * the inside.
 */
export function errorToResponse(error: unknown): Response {
  const { status, message, rpcCode, headers } = responseFor(error);
  return jsonError(status, message, rpcCode, headers);
}

/**
 * Whether to report an error to the operator: each 500, and each 503 that the store caused. Other
 * errors are the client's.
 */
export function isServerFault(error: unknown): boolean {
  const { status } = responseFor(error);
  return status === 500 || (status === 503 && error instanceof SessionError);
}
