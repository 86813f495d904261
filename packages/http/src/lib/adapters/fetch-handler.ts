import { kindOf } from '@mcp-session/core/backend';
import { errorToResponse, HttpError, isServerFault, jsonError } from '../protocol/http-errors.ts';
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
 * own, around one of this package, with a token verifier that throws. If it throws because the
 * client's body is late or broken off, the response says so. Never rejects.
 */
export async function respondOr500(handle: () => Promise<Response>): Promise<Response> {
  try {
    const response: unknown = await handle();
    if (isResponse(response)) return response;
    throw new TypeError(`Function fetch of the handler returned ${kindOf(response)}, not a Response`);
  } catch (error) {
    if (error instanceof HttpError && !isServerFault(error)) return errorToResponse(error);
    report(error);
    return jsonError(500, 'Internal server error', INTERNAL_ERROR);
  }
}

/** By structure: frameworks have classes of their own. Checks what the adapters use. */
function isResponse(value: unknown): value is Response {
  const { status, headers, body } = (value ?? {}) as {
    readonly status?: unknown;
    readonly headers?: { readonly get?: unknown; readonly [Symbol.iterator]?: unknown };
    readonly body?: { readonly getReader?: unknown } | null;
  };
  return (
    typeof status === 'number' &&
    typeof headers?.get === 'function' &&
    typeof headers[Symbol.iterator] === 'function' &&
    (body === null || typeof body?.getReader === 'function')
  );
}

/**
 * The headers of a response. `Set-Cookie` is the only one with several values that cannot be joined
 * (RFC 6265, section 3). Not `getSetCookie`: older classes of headers have none.
 */
export function headersOf(headers: Headers): {
  readonly cookies: string[];
  readonly others: Record<string, string>;
} {
  const isCookie = ([name]: readonly [string, string]): boolean => name.toLowerCase() === 'set-cookie';
  const all = [...headers];
  return {
    cookies: all.filter(isCookie).map(([, value]) => value),
    others: Object.fromEntries(all.filter((each) => !isCookie(each))),
  };
}

/** @throws TypeError if the value is no handler. */
export function checkHandler(handler: unknown): void {
  const { fetch } = (handler ?? {}) as { readonly fetch?: unknown };
  if (typeof fetch !== 'function') {
    throw new TypeError(`Handler is ${kindOf(handler)}, not what createSessionHandler or createDualEraHandler gives`);
  }
}
