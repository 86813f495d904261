import { kindOf } from '@mcp-session/core/backend';
import { errorToResponse, HttpError, jsonError } from '../protocol/http-errors.ts';
import { INTERNAL_ERROR, SERVER_ERROR } from '../protocol/json-rpc.ts';

/** What a bridge stands in front of: the handler of either SDK line. */
export interface FetchHandler<AuthInfo> {
  fetch(
    request: Request,
    options?: { readonly authInfo?: AuthInfo | undefined; readonly parsedBody?: unknown },
  ): Promise<Response>;
}

/** The request, or the answer where it cannot be made one: `Request` refuses malformed URLs, and methods that nobody may send. */
export async function made(request: () => Request | Promise<Request>): Promise<Request | Response> {
  try {
    return await request();
  } catch (error) {
    if (error instanceof HttpError) return errorToResponse(error);
    return jsonError(400, 'Bad Request: malformed request line or headers', SERVER_ERROR);
  }
}

/** Answers with 500 where the handler throws. Never rejects. */
export async function answer(handle: () => Promise<Response>): Promise<Response> {
  try {
    return await handle();
  } catch {
    return jsonError(500, 'Internal server error', INTERNAL_ERROR);
  }
}

/** What an adapter stands in front of. @throws TypeError */
export function checkHandler(handler: unknown): void {
  const { fetch } = (handler ?? {}) as { readonly fetch?: unknown };
  if (typeof fetch !== 'function')
    throw new TypeError(`Handler is ${kindOf(handler)}, not what createSessionHandler or createDualEraHandler gives`);
}
