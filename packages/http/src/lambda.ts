import type { FetchHandler } from './node.ts';

/** An event of a function URL, or of API Gateway's HTTP API (payload format 2.0): what is read of it. */
export interface LambdaEvent {
  readonly rawPath: string;
  readonly rawQueryString?: string | undefined;
  /** Names in lower case; several values of one header are joined by commas. */
  readonly headers: Readonly<Record<string, string | undefined>>;
  readonly body?: string | undefined;
  readonly isBase64Encoded?: boolean | undefined;
  readonly requestContext: { readonly http: { readonly method: string } };
}

/** What is read of a function's context. */
export interface LambdaContext {
  getRemainingTimeInMillis(): number;
}

/** The answer to such an event. */
export interface LambdaResult {
  readonly statusCode: number;
  readonly headers: Record<string, string>;
  readonly body: string;
}

/** Options of `toLambdaHandler`. */
export interface LambdaHandlerOptions<AuthInfo, Event extends LambdaEvent = LambdaEvent> {
  /**
   * Tells the verified token of a request, such as from `requestContext.authorizer.jwt.claims`, where API Gateway has verified it. `undefined`: it has none.
   *
   * Default: no request has one.
   */
  readonly authInfo?: (event: Event) => AuthInfo | undefined | Promise<AuthInfo | undefined>;
  /**
   * How long a stream is collected before it is answered with what there is, in milliseconds; its client comes back for the rest. Ends a second before the
   * function's own time in any case.
   *
   * Default: 5 seconds (`5_000`).
   */
  readonly maxStreamMs?: number;
}

/** What is left of a function's time for sending the answer, in milliseconds. */
const RESERVE_MS = 1_000;

/**
 * Lets AWS Lambda use a handler, behind a function URL or API Gateway's HTTP API.
 *
 * Lambda answers with whole bodies, so a stream is collected until it ends or `maxStreamMs` have passed. Either way nothing is lost: a client of revision
 * 2025-11-25 or later comes back with the id of the last event that it has. What a tool does after its call was answered stands still while the
 * function is frozen.
 */
export function toLambdaHandler<AuthInfo, Event extends LambdaEvent = LambdaEvent>(
  handler: FetchHandler<AuthInfo>,
  { authInfo, maxStreamMs = 5_000 }: LambdaHandlerOptions<AuthInfo, Event> = {},
): (event: Event, context?: LambdaContext) => Promise<LambdaResult> {
  return async (event, context) => {
    const left = (context?.getRemainingTimeInMillis() ?? Number.POSITIVE_INFINITY) - RESERVE_MS;
    const deadline = AbortSignal.timeout(Math.max(0, Math.min(maxStreamMs, left)));
    const response = await handler.fetch(toRequest(event), { authInfo: await authInfo?.(event) });
    return {
      statusCode: response.status,
      headers: Object.fromEntries(response.headers),
      body: await collect(response.body, deadline),
    };
  };
}

function toRequest({
  rawPath,
  rawQueryString = '',
  headers,
  body,
  isBase64Encoded = false,
  requestContext,
}: LambdaEvent): Request {
  const { method } = requestContext.http;
  const known = Object.entries(headers).filter((entry): entry is [string, string] => entry[1] !== undefined);
  const query = rawQueryString === '' ? '' : `?${rawQueryString}`;
  const url = new URL(`https://${headers['host'] ?? 'localhost'}${rawPath}${query}`);
  const hasBody = body !== undefined && method !== 'GET' && method !== 'HEAD';
  return new Request(url, {
    method,
    headers: known,
    ...(hasBody && { body: isBase64Encoded ? Buffer.from(body, 'base64') : body }),
  });
}

async function collect(body: ReadableStream<Uint8Array> | null, deadline: AbortSignal): Promise<string> {
  if (body === null) return '';
  const reader = body.getReader();
  const over = new Promise<undefined>((resolve) => {
    if (deadline.aborted) resolve(undefined);
    else deadline.addEventListener('abort', () => resolve(undefined), { once: true });
  });
  const decoder = new TextDecoder();
  let text = '';
  for (;;) {
    const read = await Promise.race([reader.read(), over]);
    if (read === undefined) {
      // Closes our side of the stream; the work behind it goes on.
      await reader.cancel();
      return text;
    }
    if (read.done) return text + decoder.decode();
    text += decoder.decode(read.value, { stream: true });
  }
}
