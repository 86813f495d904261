import { checkOptions, kindOf, MAX_TIMER_MS, type OptionNames, positive } from '@mcp-session/core/backend';
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import { finished, Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { checkHandler, type FetchHandler, headersOf, requestOr400, respondOr500 } from './fetch-handler.ts';
import { noteAddress } from '../request/loopback.ts';
import { IncomingBody, isRead, lengthOf } from './incoming-body.ts';
import { bodyOfResponse, requestWithBody } from '../protocol/buffered-body.ts';
import { noteSocket } from '../stream/sockets.ts';

/** The largest body that is read before the handler is called, in bytes. */
const SMALL_BODY_BYTES = 65_536;

/**
 * A request of `node:http`. Express puts the parsed body into `body`; the SDKs' bearer middleware
 * puts the token into `auth`.
 */
export interface NodeRequest<AuthInfo> extends IncomingMessage {
  readonly auth?: AuthInfo | undefined;
  readonly body?: unknown;
}

/** A listener of `node:http`, and a handler of Express. Never rejects. */
export type NodeHandler<AuthInfo> = (request: NodeRequest<AuthInfo>, response: ServerResponse) => Promise<void>;

/** Options of `toNodeHandler`. */
export interface NodeHandlerOptions {
  /**
   * How long the body of a request may take to arrive, in milliseconds. After that, the response is
   * 408. Node's own limit (`requestTimeout`) exists for HTTP/1 only.
   *
   * Default: one minute (`60_000`).
   */
  readonly bodyTimeoutMs?: number;
}

const NAMES: OptionNames<NodeHandlerOptions> = { bodyTimeoutMs: ['timeout', 'timeoutMs', 'requestTimeout'] };

/**
 * Makes a listener for `node:http`, Express and other frameworks with the same requests and
 * responses.
 *
 * A slow client slows the handler down and fills no memory. A client that disconnects closes its
 * stream. The verified token is read from `request.auth`, where the bearer middleware of both SDK
 * lines puts it, and a body that a parser has read from `request.body`: JSON, text or bytes. If
 * `fetch` of the handler throws, the response is 500, and the console gets the error.
 *
 * The connection of a refused request stays usable: up to 4 MiB of its body are read and discarded,
 * for at most 10 seconds. A connection with a larger body is closed.
 *
 * After `close` of the server, each connection ends with the response that it carries, so that
 * clients and proxies send their next request elsewhere.
 *
 * @throws TypeError or RangeError for a value that is no handler, and for an option.
 */
// Not `@hono/node-server`, which both SDK lines use: it reports streams that end with an error on
// the console, and writes the error into the stream.
export function toNodeHandler<AuthInfo>(
  handler: FetchHandler<AuthInfo>,
  options: NodeHandlerOptions = {},
): NodeHandler<AuthInfo> {
  checkHandler(handler);
  checkOptions(options, NAMES, 'toNodeHandler');
  const bodyTimeoutMs = positive('bodyTimeoutMs', options.bodyTimeoutMs, 60_000, MAX_TIMER_MS);
  return async (request, response) => {
    const abort = new AbortController();
    response.once('close', () => {
      // Not after a complete response: an abort costs more than most of the work of a call.
      if (!response.writableFinished) abort.abort();
    });
    const body = new IncomingBody(request, bodyTimeoutMs);
    try {
      const { auth: authInfo } = request;
      const parsedBody = parsedBodyOf(request);
      const webRequest = await requestOr400(async () => toWebRequest(request, abort.signal, body));
      const answered =
        webRequest instanceof Response
          ? webRequest
          : await respondOr500(() => handler.fetch(webRequest, { authInfo, parsedBody }));
      await write(answered, request, response, body);
    } catch {
      // The client disconnected, or the stream failed. The connection must not look complete.
      response.destroy();
    } finally {
      body.stop();
    }
  };
}

async function toWebRequest(request: NodeRequest<unknown>, signal: AbortSignal, body: IncomingBody): Promise<Request> {
  const { method = 'GET', headers: incoming } = request;
  const url = new URL(`http://${incoming.host ?? incoming[':authority']?.toString() ?? 'localhost'}${pathOf(request)}`);
  const headers = new Headers();
  for (const [name, value] of Object.entries(incoming)) {
    if (name.startsWith(':') || value === undefined) continue;
    for (const each of Array.isArray(value) ? value : [value]) headers.append(name, each);
  }
  const init = { method, headers, signal };
  const made = isSmall(request)
    ? requestWithBody(url, init, await body.whole())
    : new Request(url, mayHaveBody(request) ? { ...init, body: body.stream(), duplex: 'half' } : init);
  noteAddress(made, request.socket.localAddress);
  noteSocket(made, request.socket);
  return made;
}

/** Whether the request may have a body that was not read yet. */
function mayHaveBody(request: NodeRequest<unknown>): boolean {
  return request.method !== 'GET' && request.method !== 'HEAD' && parsedBodyOf(request) === undefined;
}

/**
 * The body that a framework has read; `undefined`: read it. The parsers of Express 4 set `{}` where
 * they leave a body of another type alone.
 */
function parsedBodyOf({ body, readableDidRead }: NodeRequest<unknown>): unknown {
  const isEmpty = kindOf(body) === 'an object' && Object.keys(body as object).length === 0;
  return isEmpty && !readableDidRead ? undefined : body;
}

function isSmall(request: NodeRequest<unknown>): boolean {
  const length = lengthOf(request);
  return mayHaveBody(request) && length > 0 && length <= SMALL_BODY_BYTES;
}

/**
 * The path and query, also of an absolute request target (RFC 9112, section 3.2.2). Express removes
 * its mount path and keeps the original URL.
 */
function pathOf(request: IncomingMessage & { readonly originalUrl?: string }): string {
  const target = request.originalUrl ?? request.url ?? '/';
  if (target.startsWith('/')) return target;
  const { pathname, search } = new URL(target);
  return pathname + search;
}

async function write(
  answered: Response,
  request: IncomingMessage,
  response: ServerResponse,
  incoming: IncomingBody,
): Promise<void> {
  const { status, headers, body } = answered;
  if (response.destroyed) {
    await body?.cancel();
    return;
  }
  const left = !isRead(request);
  const { cookies, others } = headersOf(headers);
  const head: Record<string, string | string[]> = others;
  if (cookies.length > 0) head['set-cookie'] = cookies;
  const isLast = (left && incoming.isTooMuch) || isServerClosed(request);
  // HTTP/2 has no such header; it ends each stream by itself.
  if (request.httpVersionMajor === 1 && isLast) head['connection'] = 'close';
  const whole = bodyOfResponse(answered);
  if (whole !== undefined) {
    // With a known length, Node sends head and body together.
    response.writeHead(status, { ...head, 'content-length': Buffer.byteLength(whole) });
    if (left) response.write(whole);
    else response.end(whole);
  } else {
    response.writeHead(status, head);
    if (body !== null) await pipe(body, response, !left);
    else if (left) response.flushHeaders();
  }
  if (left) {
    // The client has the response. Delay its end: Node closes the connection at the end, and a
    // client that still sends could lose the response (RFC 9112, section 9.6).
    const goesOn = await incoming.discard();
    response.end(() => {
      if (!goesOn) request.destroy();
    });
  } else if (!response.writableEnded) response.end();
  // A proxy would send its next request on this connection, to a server that stops. A stream's
  // headers could not say so.
  if (isServerClosed(request)) finished(response, () => request.socket.end());
}

/** Whether `close` of the server was called. It leaves connections open that are not idle then. */
function isServerClosed({ socket, httpVersionMajor }: IncomingMessage): boolean {
  const { server } = socket as Socket & { readonly server?: { readonly listening?: boolean } };
  return httpVersionMajor === 1 && server?.listening === false;
}

async function pipe(body: ReadableStream<Uint8Array>, response: ServerResponse, end: boolean): Promise<void> {
  // Send the headers together with the first chunk, so that a client never has headers without the
  // opening cursor. But a stream may have no chunk for a while, and the client waits for its
  // status.
  const before = response.socket?.bytesWritten;
  setImmediate(() => {
    if (response.socket?.bytesWritten === before) response.flushHeaders();
  });
  await pipeline(Readable.fromWeb(body), response, { end });
}
