import { Readable, type Writable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { type HttpEvent, toRequest } from './events.ts';
import { mcp } from './server.ts';

/** What is used of the context of an invocation. */
interface Context {
  getRemainingTimeInMillis(): number;
}

type StreamingHandler = (event: HttpEvent, response: Writable, context: Context) => Promise<void>;

/** What the Node.js runtime of Lambda puts into the global scope (docs.aws.amazon.com/lambda/latest/dg/configuration-response-streaming.html). */
declare const awslambda: {
  streamifyResponse(handler: StreamingHandler): unknown;
  HttpResponseStream: {
    from(
      stream: Writable,
      metadata: { readonly statusCode: number; readonly headers: Readonly<Record<string, string>> },
    ): Writable;
  };
};

/** How long before its time is up an invocation closes its stream. */
const LEFT_MS = 2_000;

/**
 * Behind a function URL in the mode `RESPONSE_STREAM`: what is sent arrives at once, and a client can listen. When the time of the invocation is nearly up, its
 * stream is closed; the client comes back with the number of the last event that it saw, to whichever environment.
 */
export const handler: unknown = awslambda.streamifyResponse(async (event, output, context) => {
  const end = new AbortController();
  const timer = setTimeout(() => end.abort(), Math.max(0, context.getRemainingTimeInMillis() - LEFT_MS));
  try {
    const response = await mcp.fetch(toRequest(event, end.signal));
    const metadata = { statusCode: response.status, headers: Object.fromEntries(response.headers) };
    const stream = awslambda.HttpResponseStream.from(output, metadata);
    // Status and headers go out with the first write, also where there is nothing to write.
    if (response.body === null) {
      stream.write('');
      stream.end();
    } else await pipeline(Readable.from(response.body), stream);
  } catch (error) {
    if (!end.signal.aborted) throw error;
    output.end();
  } finally {
    clearTimeout(timer);
  }
});
