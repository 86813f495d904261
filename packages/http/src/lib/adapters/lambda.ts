import { callable, checkOptions, MAX_TIMER_MS, type OptionNames, whole } from '@mcp-session/core/backend';
import type { Writable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { checkHandler, type FetchHandler, headersOf, requestOr400, respondOr500 } from './fetch-handler.ts';
import { type LambdaEvent, toWebRequest } from './lambda-events.ts';
import { noteLifetime } from '../stream/lifetime.ts';

/** The part of a function's context that the adapters read. */
export interface LambdaContext {
  getRemainingTimeInMillis(): number;
}

/** The response to an event, for function URLs and all kinds of API Gateway. */
export interface LambdaResult {
  readonly statusCode: number;
  readonly headers: Record<string, string>;
  /** Values of `Set-Cookie`, for function URLs and HTTP APIs. Default: none. */
  readonly cookies?: string[];
  /** Values of `Set-Cookie`, for REST APIs. Default: none. */
  readonly multiValueHeaders?: Record<string, string[]>;
  readonly body: string;
}

/**
 * A function that the runtime has marked as streaming. Export it as the handler; only the runtime
 * calls it.
 */
export type LambdaStreamHandler<Event extends LambdaEvent = LambdaEvent> = (
  event: Event,
  output: Writable,
  context: LambdaContext,
) => Promise<void>;

/** Options of `toLambdaHandler` and `toLambdaStreamHandler`. */
export interface LambdaHandlerOptions<AuthInfo, Event extends LambdaEvent = LambdaEvent> {
  /**
   * Returns the verified token of a request, or a response that refuses the request.
   * `requireBearerAuth` of `@modelcontextprotocol/server` fits. If API Gateway has verified the
   * token, the event has it. `undefined`: the request is anonymous. If it throws, the invocation
   * fails.
   *
   * Default: every request is anonymous.
   */
  readonly authenticate?: (
    request: Request,
    event: Event,
  ) => AuthInfo | Response | undefined | Promise<AuthInfo | Response | undefined>;
  /**
   * How long a stream stays open, in milliseconds. Its client resumes it for the rest. A stream
   * always ends a second before the function's time is up.
   *
   * Default: 5 seconds (`5_000`) for whole responses; the function's own time for streamed ones.
   */
  readonly maxStreamMs?: number;
}

/** How much of a function's time is reserved for sending the response, in milliseconds. */
const RESERVE_MS = 1_000;
/**
 * How long after a stream's time is up it is cut off, in milliseconds. The handler closes it
 * before, with `retry`.
 */
const CUT_AFTER_MS = 200;
const DEFAULT_COLLECT_MS = 5_000;
const NAMES: OptionNames<LambdaHandlerOptions<never>> = {
  authenticate: ['auth', 'authorize', 'verify'],
  maxStreamMs: ['streamMs', 'timeout', 'timeoutMs'],
};

/**
 * Makes a function for AWS Lambda, behind a function URL or API Gateway, that responds with whole
 * bodies.
 *
 * A stream is collected until it ends or `maxStreamMs` have passed. Nothing is lost: a client of
 * revision 2025-11-25 or later resumes with the id of the last event that it has. Work that a tool
 * does after its response stops while the function is frozen.
 *
 * @throws TypeError or RangeError for a value that is no handler, and for an option.
 */
export function toLambdaHandler<AuthInfo, Event extends LambdaEvent = LambdaEvent>(
  handler: FetchHandler<AuthInfo>,
  options: LambdaHandlerOptions<AuthInfo, Event> = {},
): (event: Event, context?: LambdaContext) => Promise<LambdaResult> {
  const maxStreamMs = checked(handler, options, DEFAULT_COLLECT_MS);
  return (event, context) =>
    inTime(maxStreamMs, context, async (deadline, ms) => {
      const { status, headers, body } = await respond(handler, event, options.authenticate, ms);
      const decoder = new TextDecoder();
      let text = '';
      for await (const chunk of chunksUntil(body, deadline)) text += decoder.decode(chunk, { stream: true });
      return { ...head(event, status, headers), body: text + decoder.decode() };
    });
}

/**
 * Makes a function for AWS Lambda that streams its responses: behind a function URL whose invoke
 * mode is `RESPONSE_STREAM`, or a REST API of API Gateway whose response transfer mode is `STREAM`.
 * Messages arrive at once, and clients can open the standalone stream.
 *
 * A stream ends a second before the time of its invocation is up, or after `maxStreamMs`. Its
 * client resumes with the id of the last event that it has, in any environment. Lambda does not
 * tell a function that its client has disconnected: without `maxStreamMs`, an abandoned stream
 * costs until then.
 *
 * @throws TypeError or RangeError for a value that is no handler, and for an option. TypeError
 * outside of the Node.js runtime of Lambda, which marks streaming functions.
 */
export function toLambdaStreamHandler<AuthInfo, Event extends LambdaEvent = LambdaEvent>(
  handler: FetchHandler<AuthInfo>,
  options: LambdaHandlerOptions<AuthInfo, Event> = {},
): LambdaStreamHandler<Event> {
  const maxStreamMs = checked(handler, options, Number.POSITIVE_INFINITY);
  const awslambda = (globalThis as { readonly awslambda?: unknown }).awslambda as Runtime<Event> | undefined;
  if (awslambda === undefined) {
    throw new TypeError('Global awslambda is missing: only the Node.js runtime of AWS Lambda has it');
  }
  return awslambda.streamifyResponse((event, output, context) =>
    inTime(maxStreamMs, context, async (deadline, ms) => {
      const { status, headers, body } = await respond(handler, event, options.authenticate, ms);
      const stream = awslambda.HttpResponseStream.from(output, head(event, status, headers));
      const closed = new AbortController();
      stream.once('close', () => closed.abort());
      // The first write sends status and headers, and a stream may have no message for a while.
      stream.write('');
      await pipeline(chunksUntil(body, AbortSignal.any([deadline, closed.signal])), stream);
    }),
  );
}

/** Checks the arguments of an adapter. @returns `maxStreamMs`, with its default. */
function checked(
  handler: unknown,
  options: { readonly authenticate?: unknown; readonly maxStreamMs?: number },
  defaultMs: number,
): number {
  checkHandler(handler);
  checkOptions(options, NAMES);
  callable('authenticate', options.authenticate);
  const { maxStreamMs = defaultMs } = options;
  return maxStreamMs === Number.POSITIVE_INFINITY ? maxStreamMs : whole('maxStreamMs', maxStreamMs, 0, 0);
}

/**
 * The global of the Node.js runtime
 * (docs.aws.amazon.com/lambda/latest/dg/config-rs-write-functions.html).
 */
interface Runtime<Event extends LambdaEvent> {
  streamifyResponse(handler: LambdaStreamHandler<Event>): LambdaStreamHandler<Event>;
  readonly HttpResponseStream: { from(output: Writable, metadata: Omit<LambdaResult, 'body'>): Writable };
}

async function respond<AuthInfo, Event extends LambdaEvent>(
  handler: FetchHandler<AuthInfo>,
  event: Event,
  authenticate: LambdaHandlerOptions<AuthInfo, Event>['authenticate'],
  lifetimeMs: number,
): Promise<Response> {
  const request = await requestOr400(() => toWebRequest(event));
  if (request instanceof Response) return request;
  noteLifetime(request, lifetimeMs);
  const authInfo = await authenticate?.(request, event);
  return authInfo instanceof Response ? authInfo : respondOr500(() => handler.fetch(request, { authInfo }));
}

/**
 * Does the work of an invocation.
 *
 * @param work Its streams have to end after `ms`, and are cut off when `deadline` is aborted.
 */
async function inTime<T>(
  maxStreamMs: number,
  context: LambdaContext | undefined,
  work: (deadline: AbortSignal, ms: number) => Promise<T>,
): Promise<T> {
  const left = (context?.getRemainingTimeInMillis() ?? Number.POSITIVE_INFINITY) - RESERVE_MS;
  const deadline = new AbortController();
  // Unlike AbortSignal.timeout, this timer keeps the event loop alive. The runtime ends an
  // invocation whose event loop is empty.
  const ms = Math.max(0, Math.min(maxStreamMs, left, MAX_TIMER_MS - CUT_AFTER_MS));
  const timer = setTimeout(() => deadline.abort(), ms + CUT_AFTER_MS);
  try {
    return await work(deadline.signal, ms);
  } finally {
    clearTimeout(timer);
  }
}

function head(event: LambdaEvent, statusCode: number, headers: Headers): Omit<LambdaResult, 'body'> {
  const { cookies, others } = headersOf(headers);
  if (cookies.length === 0) return { statusCode, headers: others };
  const asCookies = 'httpMethod' in event ? { multiValueHeaders: { 'set-cookie': cookies } } : { cookies };
  return { statusCode, headers: others, ...asCookies };
}

/** Reads a body until its end or the deadline, then cancels it. The work behind it continues. */
async function* chunksUntil(
  body: ReadableStream<Uint8Array> | null,
  deadline: AbortSignal,
): AsyncGenerator<Uint8Array, void, undefined> {
  if (body === null) return;
  const reader = body.getReader();
  const over = new Promise<undefined>((resolve) => {
    if (deadline.aborted) resolve(undefined);
    else deadline.addEventListener('abort', () => resolve(undefined), { once: true });
  });
  try {
    for (;;) {
      const read = await Promise.race([reader.read(), over]);
      if (read === undefined || read.done) return;
      yield read.value;
    }
  } finally {
    await reader.cancel();
  }
}
