import { SessionError, type SessionErrorCode } from '@mcp-session/core';
import { jsonOf } from './buffered-body.ts';
import { INTERNAL_ERROR, INVALID_REQUEST, SERVER_ERROR, SESSION_NOT_FOUND } from './json-rpc.ts';

/** A request that is refused, with the answer for it. */
export class HttpError extends Error {
  override readonly name = 'HttpError';
  readonly status: number;
  readonly rpcCode: number;
  readonly headers: Readonly<Record<string, string>>;

  constructor(
    status: number,
    message: string,
    rpcCode: number = SERVER_ERROR,
    headers: Readonly<Record<string, string>> = {},
  ) {
    super(message);
    this.status = status;
    this.rpcCode = rpcCode;
    this.headers = headers;
  }
}

/** An answer with a JSON-RPC error and no id, as both SDK lines give it. */
export function jsonError(
  status: number,
  message: string,
  code: number,
  headers: Readonly<Record<string, string>> = {},
): Response {
  return jsonOf({ jsonrpc: '2.0', error: { code, message }, id: null }, headers, status);
}

/** Whatever has closed what this node held of a session, the client's next try finds it restored, or gone. */
export function sessionMoves(): HttpError {
  return new HttpError(503, 'Session is being moved', undefined, { 'retry-after': '1' });
}

/** One answer for an id that is unknown, expired, ended or another principal's: nobody learns which. */
export function sessionNotFound(): HttpError {
  return new HttpError(404, 'Session not found', SESSION_NOT_FOUND);
}

/** How long a client is asked to wait when the store could not be reached, in seconds. */
const RETRY_AFTER_SECONDS = '2';
export const RETRY_AFTER: Readonly<Record<string, string>> = { 'retry-after': RETRY_AFTER_SECONDS };

/** Whether an error says that the store could not be reached or did not work, rather than what is wrong with the call. */
export function isStoreFailure(error: unknown): boolean {
  return error instanceof SessionError && error.code.startsWith('STORE_');
}

const UNAVAILABLE = new HttpError(503, 'Session store is unavailable', SERVER_ERROR, RETRY_AFTER);
/** What a client cannot do anything about: a mistake of ours, of the application, or of how it was set up. */
const OURS = new HttpError(500, 'Internal server error', INTERNAL_ERROR);

/** The answer for each code. */
const ANSWERS: Readonly<Record<SessionErrorCode, HttpError>> = {
  SESSION_NOT_FOUND: sessionNotFound(),
  INVALID_CURSOR: new HttpError(400, 'Last-Event-ID was not issued for this session'),
  // Not 404, which tells a client that its session is over (MCP 2025-11-25, basic/transports, Session Management).
  EVENTS_TRIMMED: new HttpError(410, 'Events after Last-Event-ID are no longer kept'),
  // What of a client's message is stored beside the log: the parameters of its initialize.
  PROFILE_TOO_LARGE: new HttpError(413, 'Payload Too Large: what has to be kept of the message is too large'),
  // A client's answer that has to go to another node.
  EVENT_TOO_LARGE: new HttpError(413, 'Payload Too Large: message is larger than the session store takes'),
  NOT_JSON: new HttpError(400, 'Invalid Request: message cannot be stored', INVALID_REQUEST),
  PROFILE_CONFLICT: new HttpError(503, 'Session is being changed by others', SERVER_ERROR, RETRY_AFTER),
  STORE_BUSY: UNAVAILABLE,
  STORE_CLOSED: UNAVAILABLE,
  STORE_CORRUPT: UNAVAILABLE,
  STORE_DENIED: UNAVAILABLE,
  STORE_FAILED: UNAVAILABLE,
  STORE_FULL: UNAVAILABLE,
  STORE_READ_ONLY: UNAVAILABLE,
  STORE_SCHEMA_TOO_NEW: UNAVAILABLE,
  STORE_UNAVAILABLE: UNAVAILABLE,
  // From generateSessionId, from principal, or from what the application does with its session before the client is answered.
  SESSION_EXISTS: OURS,
  INVALID_SESSION_ID: OURS,
  INVALID_PRINCIPAL: OURS,
  INVALID_KIND: OURS,
  INVALID_STREAM_ID: OURS,
  INVALID_STATE_KEY: OURS,
  INVALID_STATE_VALUE: OURS,
  STATE_CONFLICT: OURS,
  STATE_KEY_UNDECLARED: OURS,
  STATE_LIMIT_EXCEEDED: OURS,
  STATE_VALUE_TOO_LARGE: OURS,
};

function answerFor(error: unknown): HttpError {
  if (error instanceof HttpError) return error;
  // An error of a newer core can have a code that is not known here.
  return error instanceof SessionError ? (ANSWERS[error.code] ?? OURS) : OURS;
}

/** The answer for whatever a request's handling threw. Tells nothing of what went wrong inside. */
export function errorToResponse(error: unknown): Response {
  const { status, message, rpcCode, headers } = answerFor(error);
  return jsonError(status, message, rpcCode, headers);
}

/** Whether this is something for the operator to hear of, rather than a client's mistake: each 500, and each 503 of the store. */
export function isOurs(error: unknown): boolean {
  const { status } = answerFor(error);
  return status === 500 || (status === 503 && error instanceof SessionError);
}
