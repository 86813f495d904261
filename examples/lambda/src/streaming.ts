import { type LambdaStreamHandler, toLambdaStreamHandler } from '@mcp-session/http/lambda';
import { mcp } from './server.ts';

/**
 * Behind a function URL in the mode `RESPONSE_STREAM`, or a REST API that streams: messages arrive
 * at once, and a client can listen. The stream is closed after 15 minutes, or when the time limit
 * of the invocation is near. The client then resumes it, in any environment, with the id of the
 * last event that it saw.
 */
export const handler: LambdaStreamHandler = toLambdaStreamHandler(mcp, { maxStreamMs: 900_000 });
