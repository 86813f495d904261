import type { IncomingMessage, ServerResponse } from 'node:http';
import { Readable } from 'node:stream';
import { buffer } from 'node:stream/consumers';
import { pipeline } from 'node:stream/promises';
import type { ReadableStream as NodeReadableStream } from 'node:stream/web';
import { answer, type FetchHandler, made } from './lib/bridge.ts';
import { bodyOfResponse, requestOf } from './lib/known-bodies.ts';

export type { FetchHandler } from './lib/bridge.ts';

/** Up to which length a body is read before the handler is asked, in bytes. */
const SMALL_BODY_BYTES = 65_536;

/** A request of `node:http` as frameworks pass it on: Express puts what it has parsed into `body`, the SDKs' bearer middleware the token into `auth`. */
export interface NodeRequest<AuthInfo> extends IncomingMessage {
  readonly auth?: AuthInfo | undefined;
  readonly body?: unknown;
}

/** A listener of `node:http`, and a handler of Express. Never rejects. */
export type NodeHandler<AuthInfo> = (request: NodeRequest<AuthInfo>, response: ServerResponse) => Promise<void>;

/**
 * Lets `node:http`, Express and whatever else speaks in its requests and responses use a handler.
 *
 * A client that reads slowly slows the handler down and fills no memory; one that goes away closes its stream. The verified token is taken from
 * `request.auth`, where the bearer middleware of both SDK lines leaves it, and a parsed body from `request.body`.
 *
 * Not done with `@hono/node-server`, which both SDK lines use: it reports streams that end with an error on the console, and writes the error into the stream.
 */
export function toNodeHandler<AuthInfo>(handler: FetchHandler<AuthInfo>): NodeHandler<AuthInfo> {
  return async (request, response) => {
    const abort = new AbortController();
    response.once('close', () => {
      // Not after a whole answer: making the error of an abort takes longer than most of what is done for a call.
      if (!response.writableFinished) abort.abort();
    });
    try {
      const { auth: authInfo, body: parsedBody } = request;
      const webRequest = await made(async () =>
        toWebRequest(request, abort.signal, isSmall(request) ? await buffer(request) : undefined),
      );
      const answered =
        webRequest instanceof Response
          ? webRequest
          : await answer(() => handler.fetch(webRequest, { authInfo, parsedBody }));
      await write(answered, response);
    } catch {
      // The client went away, or the stream broke off: either way the connection must not look complete.
      response.destroy();
    }
  };
}

function toWebRequest(
  request: NodeRequest<unknown>,
  signal: AbortSignal,
  body: Buffer<ArrayBuffer> | undefined,
): Request {
  const { method = 'GET', headers: incoming } = request;
  const url = new URL(`http://${incoming.host ?? incoming[':authority']?.toString() ?? 'localhost'}${pathOf(request)}`);
  const headers = new Headers();
  for (const [name, value] of Object.entries(incoming)) {
    if (name.startsWith(':') || value === undefined) continue;
    for (const each of Array.isArray(value) ? value : [value]) headers.append(name, each);
  }
  if (body !== undefined) return requestOf(url, { method, headers, signal }, body);
  const hasBody = mayHaveBody(request);
  return new Request(url, {
    method,
    headers,
    signal,
    ...(hasBody && { body: Readable.toWeb(request) as ReadableStream<Uint8Array>, duplex: 'half' }),
  });
}

/** Whether there can be a body that nobody has read yet. */
function mayHaveBody({ method, body }: NodeRequest<unknown>): boolean {
  return method !== 'GET' && method !== 'HEAD' && body === undefined;
}

function isSmall(request: NodeRequest<unknown>): boolean {
  const length = Number(request.headers['content-length']);
  return mayHaveBody(request) && length > 0 && length <= SMALL_BODY_BYTES;
}

/** The path and query; of a request line with a whole URL as well (RFC 9112, section 3.2.2). Express cuts off where it is mounted, and keeps the original. */
function pathOf(request: IncomingMessage & { readonly originalUrl?: string }): string {
  const target = request.originalUrl ?? request.url ?? '/';
  if (target.startsWith('/')) return target;
  const { pathname, search } = new URL(target);
  return pathname + search;
}

async function write(answered: Response, response: ServerResponse): Promise<void> {
  const { status, headers } = answered;
  const whole = bodyOfResponse(answered);
  if (whole !== undefined) {
    // With its length known, Node sends head and body in one piece.
    response.writeHead(status, { ...Object.fromEntries(headers), 'content-length': Buffer.byteLength(whole) });
    response.end(whole);
    return;
  }
  const { body } = answered;
  if (response.destroyed) {
    await body?.cancel();
    return;
  }
  response.writeHead(status, Object.fromEntries(headers));
  if (body === null) {
    response.end();
    return;
  }
  // The head goes out with the first chunk, in one write, so that no client has it and lacks the cursor with which a stream begins. But a stream may have
  // nothing to say for a while, and the client waits for its status.
  const before = response.socket?.bytesWritten;
  setImmediate(() => {
    if (response.socket?.bytesWritten === before) response.flushHeaders();
  });
  await pipeline(Readable.fromWeb(body as NodeReadableStream<Uint8Array>), response);
}
