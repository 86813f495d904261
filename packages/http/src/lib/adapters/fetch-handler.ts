import { kindOf } from '@mcp-session/core/backend';
import { errorToResponse, HttpError, jsonError } from '../protocol/http-errors.ts';
import { INTERNAL_ERROR, SERVER_ERROR } from '../protocol/json-rpc.ts';
import { errorListener } from '../runtime/safe-callback.ts';

/** To the console: an adapter has no logger. */
const report = errorListener({});

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

/**
 * Responds with 500 if the handler throws, and reports why: the handler may be the application's
 * own, around one of this package, with a token verifier that throws. Never rejects.
 */
export async function respondOr500(handle: () => Promise<Response>): Promise<Response> {
  try {
    const response: unknown = await handle();
    if (isResponse(response)) return response;
    throw new TypeError(`Function fetch of the handler returned ${kindOf(response)}, not a Response`);
  } catch (error) {
    report(error);
    return jsonError(500, 'Internal server error', INTERNAL_ERROR);
  }
}

/** By structure: frameworks have classes of their own. */
function isResponse(value: unknown): value is Response {
  const { status, headers } = (value ?? {}) as { readonly status?: unknown; readonly headers?: { get?: unknown } };
  return typeof status === 'number' && typeof headers?.get === 'function';
}

/** @throws TypeError if the value is no handler. */
export function checkHandler(handler: unknown): void {
  const { fetch } = (handler ?? {}) as { readonly fetch?: unknown };
  if (typeof fetch !== 'function') {
    throw new TypeError(`Handler is ${kindOf(handler)}, not what createSessionHandler or createDualEraHandler gives`);
  }
}
