import { SessionError } from '@mcp-session/core';
import { jsonOf } from './known-bodies.ts';
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

/** The answer for whatever a request's handling threw. Tells nothing of what went wrong inside. */
export function errorToResponse(error: unknown): Response {
  if (error instanceof HttpError) return jsonError(error.status, error.message, error.rpcCode, error.headers);
  if (error instanceof SessionError) {
    switch (error.code) {
      case 'SESSION_NOT_FOUND':
        return errorToResponse(sessionNotFound());
      case 'INVALID_CURSOR':
        return jsonError(400, 'Last-Event-ID was not issued for this session', SERVER_ERROR);
      case 'EVENTS_TRIMMED':
        // Not 404, which tells a client that its session is over (MCP 2025-11-25, basic/transports, Session Management).
        return jsonError(410, 'Events after Last-Event-ID are no longer kept', SERVER_ERROR);
      // What of a client's message is stored beside the log: the parameters of its initialize.
      case 'PROFILE_TOO_LARGE':
        return jsonError(413, 'Payload Too Large: what has to be kept of the message is too large', SERVER_ERROR);
      case 'NOT_JSON':
        return jsonError(400, 'Invalid Request: message cannot be stored', INVALID_REQUEST);
      default:
        if (isStoreFailure(error)) return jsonError(503, 'Session store is unavailable', SERVER_ERROR, RETRY_AFTER);
    }
  }
  return jsonError(500, 'Internal server error', INTERNAL_ERROR);
}

/** Whether this is something for the operator to hear of, rather than a client's mistake. */
export function isOurs(error: unknown): boolean {
  if (error instanceof HttpError) return error.rpcCode === INTERNAL_ERROR;
  return !(error instanceof SessionError) || isStoreFailure(error);
}
