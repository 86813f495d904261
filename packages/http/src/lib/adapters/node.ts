import { checkOptions, type OptionNames, positive } from '@mcp-session/core/backend';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { answer, checkHandler, type FetchHandler, made } from './fetch-handler.ts';
import { noteAddress } from '../request/loopback.ts';
import { IncomingBody, isRead, lengthOf } from './incoming-body.ts';
import { bodyOfResponse, requestWithBody } from '../protocol/buffered-body.ts';
import { MAX_TIMER_MS } from '../runtime/timers.ts';

/** Up to which length a body is read before the handler is asked, in bytes. */
const SMALL_BODY_BYTES = 65_536;

/** A request of `node:http` as frameworks pass it on: Express puts what it has parsed into `body`, the SDKs' bearer middleware the token into `auth`. */
export interface NodeRequest<AuthInfo> extends IncomingMessage {
  readonly auth?: AuthInfo | undefined;
  readonly body?: unknown;
}

/** A listener of `node:http`, and a handler of Express. Never rejects. */
export type NodeHandler<AuthInfo> = (request: NodeRequest<AuthInfo>, response: ServerResponse) => Promise<void>;

/** Options of `toNodeHandler`. */
export interface NodeHandlerOptions {
  /**
   * How long the body of a request may take to arrive, in milliseconds; then it is answered with 408. Node's own limit (`requestTimeout`) is for HTTP/1 alone.
   *
   * Default: one minute (`60_000`).
   */
  readonly bodyTimeoutMs?: number;
}

const NAMES: OptionNames<NodeHandlerOptions> = { bodyTimeoutMs: ['timeout', 'timeoutMs', 'requestTimeout'] };

/**
 * Lets `node:http`, Express and whatever else speaks in its requests and responses use a handler.
 *
 * A client that reads slowly slows the handler down and fills no memory; one that goes away closes its stream. The verified token is taken from
 * `request.auth`, where the bearer middleware of both SDK lines leaves it, and a parsed body from `request.body`.
 *
 * The connection of a request that is refused goes on: up to 4 MiB of a body that nobody wants are read and thrown away, for at most 10 seconds. Where there
 * is more, it is closed.
 *
 * @throws TypeError or RangeError for what is no handler, and for an option.
 *
 * Not done with `@hono/node-server`, which both SDK lines use: it reports streams that end with an error on the console, and writes the error into the stream.
 */
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
      // Not after a whole answer: making the error of an abort takes longer than most of what is done for a call.
      if (!response.writableFinished) abort.abort();
    });
    const body = new IncomingBody(request, bodyTimeoutMs);
    try {
      const { auth: authInfo, body: parsedBody } = request;
      const webRequest = await made(async () => toWebRequest(request, abort.signal, body));
      const answered =
        webRequest instanceof Response
          ? webRequest
          : await answer(() => handler.fetch(webRequest, { authInfo, parsedBody }));
      await write(answered, request, response, body);
    } catch {
      // The client went away, or the stream broke off: either way the connection must not look complete.
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
  return made;
}

/** Whether there can be a body that nobody has read yet. */
function mayHaveBody({ method, body }: NodeRequest<unknown>): boolean {
  return method !== 'GET' && method !== 'HEAD' && body === undefined;
}

function isSmall(request: NodeRequest<unknown>): boolean {
  const length = lengthOf(request);
  return mayHaveBody(request) && length > 0 && length <= SMALL_BODY_BYTES;
}

/** The path and query; of a request line with a whole URL as well (RFC 9112, section 3.2.2). Express cuts off where it is mounted, and keeps the original. */
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
  const head = Object.fromEntries(headers);
  // HTTP/2 has no such header, and ends streams one by one.
  if (left && request.httpVersionMajor === 1 && incoming.isTooMuch) head['connection'] = 'close';
  const whole = bodyOfResponse(answered);
  if (whole !== undefined) {
    // With its length known, Node sends head and body in one piece.
    response.writeHead(status, { ...head, 'content-length': Buffer.byteLength(whole) });
    if (left) response.write(whole);
    else response.end(whole);
  } else {
    response.writeHead(status, head);
    if (body !== null) await pipe(body, response, !left);
    else if (left) response.flushHeaders();
  }
  if (left) {
    // The client has its answer. Its end waits, since Node closes what is not to go on at once, and a client that still sends could lose the answer (RFC 9112, section 9.6).
    const goesOn = await incoming.discard();
    response.end(() => {
      if (!goesOn) request.destroy();
    });
  } else if (!response.writableEnded) response.end();
}

async function pipe(body: ReadableStream<Uint8Array>, response: ServerResponse, end: boolean): Promise<void> {
  // The head goes out with the first chunk, in one write, so that no client has it and lacks the cursor with which a stream begins. But a stream may have
  // nothing to say for a while, and the client waits for its status.
  const before = response.socket?.bytesWritten;
  setImmediate(() => {
    if (response.socket?.bytesWritten === before) response.flushHeaders();
  });
  await pipeline(Readable.fromWeb(body), response, { end });
}
