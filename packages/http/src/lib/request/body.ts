import { bodyOfRequest } from '../protocol/buffered-body.ts';
import { HttpError } from '../protocol/http-errors.ts';
import { INVALID_REQUEST, type JsonRpcMessage, PARSE_ERROR } from '../protocol/json-rpc.ts';

/** The largest batch, as in both SDK lines. */
const MAX_BATCH = 100;

/** The messages of a POST. */
export interface Posted {
  readonly messages: readonly JsonRpcMessage[];
  readonly isBatch: boolean;
}

/**
 * Reads the messages of a POST.
 *
 * @throws HttpError 413, 415, or 400 with a JSON-RPC code.
 */
export async function readMessages(
  request: Request,
  parsedBody: unknown,
  { maxBodyBytes, parse }: { readonly maxBodyBytes: number; readonly parse: (value: unknown) => JsonRpcMessage },
): Promise<Posted> {
  checkContent(request, parsedBody !== undefined);
  const body =
    parsedBody === undefined
      ? parseJson(await readText(request, maxBodyBytes))
      : decodeBody(request, parsedBody, maxBodyBytes);
  const isBatch = Array.isArray(body);
  const values: readonly unknown[] = isBatch ? body : [body];
  if (values.length === 0) throw new HttpError(400, 'Invalid Request: Batch is empty', INVALID_REQUEST);
  if (values.length > MAX_BATCH) {
    throw new HttpError(400, `Invalid Request: Batch must not exceed ${MAX_BATCH} messages`, INVALID_REQUEST);
  }
  try {
    return { messages: values.map(parse), isBatch };
  } catch {
    throw new HttpError(400, 'Parse error: Invalid JSON-RPC message', PARSE_ERROR);
  }
}

/** @throws HttpError 415 */
function checkContent({ headers }: Request, parsed: boolean): void {
  // Compare the media type only: `text/plain; a=application/json` is plain text.
  const [mediaType] = contentTypeOf(headers);
  if (mediaType !== 'application/json') {
    throw new HttpError(415, 'Unsupported Media Type: Content-Type must be application/json');
  }
  // A framework that has parsed the body has also decoded it.
  if (parsed) return;
  checkCharset(headers);
  const coding = headers.get('content-encoding')?.trim().toLowerCase();
  if (coding !== undefined && coding !== '' && coding !== 'identity') {
    throw new HttpError(415, 'Unsupported Media Type: Content-Encoding must be identity', undefined, {
      'accept-encoding': 'identity',
    });
  }
}

/** @throws HttpError 415 */
function checkCharset(headers: Headers): void {
  const [, ...parameters] = contentTypeOf(headers);
  const charset = parameters.find((parameter) => parameter.startsWith('charset='));
  if (charset !== undefined && !/^charset="?utf-?8"?$/.test(charset)) {
    throw new HttpError(415, 'Unsupported Media Type: JSON must be in UTF-8');
  }
}

function contentTypeOf(headers: Headers): string[] {
  return (headers.get('content-type') ?? '').split(';').map((part) => part.trim().toLowerCase());
}

/**
 * The JSON value of a body that a framework has read. `express.text()` and `express.raw()` read it
 * and do not parse it.
 *
 * @throws HttpError 413, 415, or 400 with a JSON-RPC code.
 */
export function decodeBody(request: Request, parsedBody: unknown, maxBytes: number): unknown {
  if (typeof parsedBody !== 'string' && !(parsedBody instanceof Uint8Array)) return parsedBody;
  if (Buffer.byteLength(parsedBody) > maxBytes) throw tooLarge(maxBytes);
  if (typeof parsedBody === 'string') return parseJson(parsedBody);
  checkCharset(request.headers);
  return parseJson(new TextDecoder().decode(parsedBody));
}

/** @throws TypeError that says what to do if something else has read the body. */
export function checkBodyUnread(request: Request): void {
  if (request.bodyUsed) throw bodyWasRead();
}

async function readText(request: Request, maxBytes: number): Promise<string> {
  const expected = Number(request.headers.get('content-length'));
  if (expected > maxBytes) throw tooLarge(maxBytes);
  const text = await receivedText(request, maxBytes);
  // Node ends a request only after all of its body.
  if (text === '' && expected > 0) throw bodyWasRead();
  return text;
}

async function receivedText(request: Request, maxBytes: number): Promise<string> {
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

/** How many bytes of a body are read after its response. */
const MAX_READ_ON_BYTES = 4_194_304;

/**
 * Discards the rest of a body: the connection's next request is behind it. `@hono/node-server` does
 * so only for a body of which nothing was read.
 */
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
    // The client has disconnected.
  }
}

function tooLarge(maxBytes: number): HttpError {
  return new HttpError(413, `Payload Too Large: request body must not exceed ${maxBytes} bytes`);
}

function bodyWasRead(): TypeError {
  return new TypeError(
    'Body of a request was read in front of the handler; pass it on as parsedBody, or as request.body with toNodeHandler',
  );
}

/** A client that disconnects mid-body is not a server error; do not report it. */
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
