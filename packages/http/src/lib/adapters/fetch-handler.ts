import { kindOf } from '@mcp-session/core/backend';
import { errorToResponse, HttpError, jsonError } from '../protocol/http-errors.ts';
import { INTERNAL_ERROR, SERVER_ERROR } from '../protocol/json-rpc.ts';

/** What an adapter serves: the handler of either SDK line. */
export interface FetchHandler<AuthInfo> {
  fetch(
    request: Request,
    options?: { readonly authInfo?: AuthInfo | undefined; readonly parsedBody?: unknown },
  ): Promise<Response>;
}

/**
 * Makes the request, or the response if that fails: `Request` refuses malformed URLs and forbidden
 * methods.
 */
export async function requestOr400(request: () => Request | Promise<Request>): Promise<Request | Response> {
  try {
    return await request();
  } catch (error) {
    if (error instanceof HttpError) return errorToResponse(error);
    return jsonError(400, 'Bad Request: malformed request line or headers', SERVER_ERROR);
  }
}

/** Responds with 500 if the handler throws. Never rejects. */
export async function respondOr500(handle: () => Promise<Response>): Promise<Response> {
  try {
    return await handle();
  } catch {
    return jsonError(500, 'Internal server error', INTERNAL_ERROR);
  }
}

/** @throws TypeError if the value is no handler. */
export function checkHandler(handler: unknown): void {
  const { fetch } = (handler ?? {}) as { readonly fetch?: unknown };
  if (typeof fetch !== 'function') {
    throw new TypeError(`Handler is ${kindOf(handler)}, not what createSessionHandler or createDualEraHandler gives`);
  }
}
