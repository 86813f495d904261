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

/** @throws HttpError 406 unless the client accepts all of these media types. */
export function checkAccept(request: Request, ...types: readonly string[]): void {
  const ranges = (request.headers.get('accept') ?? '').split(',').map(mediaRange);
  for (const type of types) {
    const group = `${type.split('/', 1)[0] ?? ''}/*`;
    // The most specific range counts, and a weight of 0 is a no (RFC 9110, sections 12.4.2 and 12.5.1).
    const range = [type, group, '*/*'].find((name) => ranges.some((each) => each.name === name));
    if (!ranges.some(({ name, refused }) => name === range && !refused))
      throw new HttpError(
        406,
        `Not Acceptable: Client must accept ${types.length > 1 ? 'both ' : ''}${types.join(' and ')}`,
      );
  }
}

function mediaRange(text: string): { readonly name: string; readonly refused: boolean } {
  const [name = '', ...parameters] = text.split(';').map((part) => part.trim().toLowerCase());
  return { name, refused: parameters.some((parameter) => /^q=0(\.0*)?$/.test(parameter)) };
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
  checkContent(request, parsedBody !== undefined);
  const body = parsedBody === undefined ? parseJson(await readText(request, maxBodyBytes)) : parsedBody;
  const batch = Array.isArray(body);
  const values: readonly unknown[] = batch ? body : [body];
  if (values.length === 0) throw new HttpError(400, 'Invalid Request: Batch is empty', INVALID_REQUEST);
  if (values.length > MAX_BATCH)
    throw new HttpError(400, `Invalid Request: Batch must not exceed ${MAX_BATCH} messages`, INVALID_REQUEST);
  try {
    return { messages: values.map(parse), batch };
  } catch {
    throw new HttpError(400, 'Parse error: Invalid JSON-RPC message', PARSE_ERROR);
  }
}

/** @throws HttpError 415 */
function checkContent({ headers }: Request, parsed: boolean): void {
  // The media type itself, never a part of the header: `text/plain; a=application/json` is plain text.
  const [mediaType, ...parameters] = (headers.get('content-type') ?? '')
    .split(';')
    .map((part) => part.trim().toLowerCase());
  if (mediaType !== 'application/json')
    throw new HttpError(415, 'Unsupported Media Type: Content-Type must be application/json');
  // A framework has decoded what it has parsed.
  if (parsed) return;
  const charset = parameters.find((parameter) => parameter.startsWith('charset='));
  if (charset !== undefined && !/^charset="?utf-?8"?$/.test(charset))
    throw new HttpError(415, 'Unsupported Media Type: JSON must be in UTF-8');
  const coding = headers.get('content-encoding')?.trim().toLowerCase();
  if (coding !== undefined && coding !== '' && coding !== 'identity')
    throw new HttpError(415, 'Unsupported Media Type: Content-Encoding must be identity', undefined, {
      'accept-encoding': 'identity',
    });
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
    throw new HttpError(400, 'Invalid Request: Only one initialization request is allowed', INVALID_REQUEST);
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
      `Bad Request: Unsupported protocol version: ${named.slice(0, 80)} (supported versions: ${supported.join(', ')})`,
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
    throw new HttpError(400, 'Parse error: Invalid JSON', PARSE_ERROR);
  }
}
