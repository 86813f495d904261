import { type LambdaStreamHandler, toLambdaStreamHandler } from '@mcp-session/http/lambda';
import { mcp } from './server.ts';

/**
 * Behind a function URL in the mode `RESPONSE_STREAM`, or a REST API that streams: what is sent
 * arrives at once, and a client can listen. After 15 minutes, or when the time of the invocation is
 * nearly up, its stream is closed; the client comes back with the id of the last event that it saw,
 * to whichever environment.
 */
export const handler: LambdaStreamHandler = toLambdaStreamHandler(mcp, { maxStreamMs: 900_000 });
