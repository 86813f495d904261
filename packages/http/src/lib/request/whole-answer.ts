import { jsonOf, responseWithBody } from '../protocol/buffered-body.ts';
import type { JsonRpcResponse } from '../protocol/json-rpc.ts';
import { messageFrame, SSE_HEADERS } from '../stream/sse.ts';
import { answerFormFor } from './accept.ts';

/** A response that cannot be resumed: JSON for each client that can read it. */
export function wholeAnswer(
  request: Request,
  message: JsonRpcResponse,
  headers: Readonly<Record<string, string>> = {},
): Response {
  return answerFormFor(request, true) === 'json'
    ? jsonOf(message, headers)
    : responseWithBody(messageFrame({ id: undefined, message }), { ...SSE_HEADERS, ...headers });
}
