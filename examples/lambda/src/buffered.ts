import { type GatewayResult, type HttpEvent, type RestEvent, toRequest, toResult } from './events.ts';
import { mcp, store } from './server.ts';

/**
 * Behind API Gateway, or a function URL in the mode `BUFFERED`: a response goes out when it is complete. That of a POST is when its requests are answered. A
 * stream that a client listens on never is, so clients are told that there is none, as the protocol allows.
 */
export async function handler(event: HttpEvent | RestEvent): Promise<GatewayResult> {
  const request = toRequest(event, new AbortController().signal);
  if (request.method === 'GET')
    return { statusCode: 405, headers: { allow: 'POST, DELETE' }, body: '', isBase64Encoded: false };
  return toResult(await mcp.fetch(request));
}

/** On a schedule, such as once an hour: removes what has expired. Expiry itself does not wait for it. */
export async function sweep(): Promise<void> {
  await store.sweep();
}
