import { HttpError } from './http-errors.ts';
import { bodyOfRequest } from './known-bodies.ts';
import { INVALID_REQUEST, isRequest, type JsonRpcMessage, type JsonRpcRequest, PARSE_ERROR } from './json-rpc.ts';

/** Most messages of one batch, as in both SDK lines. */
const MAX_BATCH = 100;
/** The last revision with batches (2025-06-18 removed them). */
const LAST_BATCH_REVISION = '2025-03-26';

/** The messages of a POST. */
export interface Posted {
  readonly messages: readonly JsonRpcMessage[];
  readonly batch: boolean;
}

/** Which hosts and origins are let in; `undefined`: any. */
export interface AllowList {
  readonly hosts: readonly string[] | undefined;
  readonly origins: readonly string[] | undefined;
}

/**
 * Refuses requests that a browser was tricked into sending (MCP 2025-11-25, basic/transports, Security Warning). A request without
 * `Origin` comes from no browser.
 *
 * @throws HttpError 403
 */
export function checkHostAndOrigin(request: Request, { hosts, origins }: AllowList): void {
  const host = request.headers.get('host') ?? new URL(request.url).host;
  if (hosts !== undefined && !hosts.includes(host))
    throw new HttpError(403, `Host ${JSON.stringify(host)} is not allowed`);
  const origin = request.headers.get('origin');
  if (origins !== undefined && origin !== null && !origins.includes(origin))
    throw new HttpError(403, `Origin ${JSON.stringify(origin)} is not allowed`);
}

/** @throws HttpError 406 unless the client accepts all of these media types. */
export function checkAccept(request: Request, ...types: readonly string[]): void {
  const accepted = (request.headers.get('accept') ?? '')
    .split(',')
    .map((part) => part.split(';', 1)[0]?.trim().toLowerCase() ?? '');
  for (const type of types) {
    const group = `${type.split('/', 1)[0] ?? ''}/*`;
    if (!accepted.some((each) => each === type || each === group || each === '*/*'))
      throw new HttpError(406, `Not Acceptable: client must accept ${types.join(' and ')}`);
  }
}

/**
 * Reads a POST's messages.
 *
 * @throws HttpError 413, 415 or 400 with the JSON-RPC code of what is wrong.
 */
export async function readMessages(
  request: Request,
  parsedBody: unknown,
  { maxBodyBytes, parse }: { readonly maxBodyBytes: number; readonly parse: (value: unknown) => JsonRpcMessage },
): Promise<Posted> {
  // The media type itself, never a part of the header: `text/plain; a=application/json` is plain text.
  const mediaType = (request.headers.get('content-type') ?? '').split(';', 1)[0]?.trim().toLowerCase();
  if (mediaType !== 'application/json')
    throw new HttpError(415, 'Unsupported Media Type: Content-Type must be application/json');

  const body = parsedBody === undefined ? parseJson(await readText(request, maxBodyBytes)) : parsedBody;
  const batch = Array.isArray(body);
  const values: readonly unknown[] = batch ? body : [body];
  if (values.length === 0) throw new HttpError(400, 'Invalid Request: batch is empty', INVALID_REQUEST);
  if (values.length > MAX_BATCH)
    throw new HttpError(400, `Invalid Request: batch must not exceed ${MAX_BATCH} messages`, INVALID_REQUEST);
  try {
    return { messages: values.map(parse), batch };
  } catch {
    throw new HttpError(400, 'Parse error: invalid JSON-RPC message', PARSE_ERROR);
  }
}

/** @throws HttpError 400 where the messages are a batch and the session's revision has none, or two requests of it have one id. */
export function checkBatch({ messages, batch }: Posted, protocolVersion: string): void {
  const ids = messages.filter(isRequest).map(({ id }) => id);
  if (new Set(ids).size < ids.length)
    throw new HttpError(400, 'Invalid Request: two requests of a batch have the same id', INVALID_REQUEST);
  if (batch && protocolVersion > LAST_BATCH_REVISION)
    throw new HttpError(400, `Invalid Request: protocol version ${protocolVersion} has no batches`, INVALID_REQUEST);
}

/** The `initialize` request of a POST; `undefined`: it holds none. @throws HttpError 400 where it is not alone. */
export function findInitialize({ messages }: Posted): JsonRpcRequest | undefined {
  const found = messages.filter(isRequest).find(({ method }) => method === 'initialize');
  if (found !== undefined && messages.length > 1)
    throw new HttpError(400, 'Invalid Request: only one initialization request is allowed', INVALID_REQUEST);
  return found;
}

/**
 * The revision that governs a request: the one that its session agreed on. The header only has to name one that is supported, and may be missing
 * (MCP 2025-11-25, basic/transports, Protocol Version Header).
 *
 * @throws HttpError 400 where the header names one that is neither supported nor the session's own.
 */
export function requestRevision(
  request: Request,
  sessionVersion: string | undefined,
  supported: readonly string[],
): string {
  const named = request.headers.get('mcp-protocol-version') ?? undefined;
  if (named !== undefined && named !== sessionVersion && !supported.includes(named)) {
    throw new HttpError(
      400,
      `Bad Request: unsupported protocol version ${JSON.stringify(named.slice(0, 80))} (supported versions: ${supported.join(', ')})`,
    );
  }
  return sessionVersion ?? named ?? '2025-03-26';
}

async function readText(request: Request, maxBytes: number): Promise<string> {
  if (Number(request.headers.get('content-length')) > maxBytes) throw tooLarge(maxBytes);
  const known = bodyOfRequest(request);
  if (known !== undefined) return new TextDecoder().decode(known);
  if (request.body === null) return '';
  const decoder = new TextDecoder();
  const reader = (request.body as ReadableStream<Uint8Array>).getReader();
  let received = 0;
  let text = '';
  for (;;) {
    const { done, value } = await reader.read().catch(brokenOff);
    if (done) break;
    received += value.byteLength;
    if (received > maxBytes) {
      void readOn(reader);
      throw tooLarge(maxBytes);
    }
    text += decoder.decode(value, { stream: true });
  }
  return text + decoder.decode();
}

/** Most of a body that is read after its answer, in bytes. */
const MAX_READ_ON_BYTES = 4_194_304;

/** Throws away what is left of a body: `@hono/node-server` does so with one that nobody has begun to read only, and the next request is behind it. */
async function readOn(reader: ReadableStreamDefaultReader<Uint8Array>): Promise<void> {
  let left = MAX_READ_ON_BYTES;
  try {
    for (;;) {
      const { done, value } = await reader.read();
      if (done) return;
      left -= value.byteLength;
      if (left < 0) return await reader.cancel();
    }
  } catch {
    // Its client has gone.
  }
}

function tooLarge(maxBytes: number): HttpError {
  return new HttpError(413, `Payload Too Large: request body must not exceed ${maxBytes} bytes`);
}

/** A client that goes away in the middle of its body is nothing for the operator to hear of. */
function brokenOff(error: unknown): never {
  throw error instanceof HttpError ? error : new HttpError(400, 'Bad Request: body was broken off');
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    throw new HttpError(400, 'Parse error: invalid JSON', PARSE_ERROR);
  }
}
