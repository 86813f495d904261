import {
  type FetchHandler,
  type LambdaContext,
  type LambdaEvent,
  type LambdaResult,
  toLambdaHandler,
} from '@mcp-session/http/lambda';
import { mcp, store } from './server.ts';

/**
 * A client that listens would keep an invocation busy all the time, so a GET that opens a
 * standalone stream is refused, as the protocol allows. A GET that resumes a response is served.
 */
const withoutStandaloneStream: FetchHandler<never> = {
  fetch: async (request) =>
    request.method === 'GET' && !request.headers.has('last-event-id')
      ? new Response(null, { status: 405, headers: { allow: 'POST, DELETE' } })
      : mcp.fetch(request),
};

/**
 * Behind API Gateway, or a function URL in the mode `BUFFERED`: a response goes out when it is
 * complete, or after 25 seconds; API Gateway waits for 29.
 */
export const handler: (event: LambdaEvent, context?: LambdaContext) => Promise<LambdaResult> = toLambdaHandler(
  withoutStandaloneStream,
  { maxStreamMs: 25_000 },
);

/**
 * On a schedule, such as once an hour: removes expired sessions. Expiry itself does not depend on
 * it.
 */
export async function sweep(): Promise<void> {
  await store.sweep();
}
