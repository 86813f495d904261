import { callable, checkOptions, type OptionNames, whole } from '@mcp-session/core/backend';
import type { Writable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { answer, checkHandler, type FetchHandler, made } from './fetch-handler.ts';
import { type LambdaEvent, toWebRequest } from './lambda-events.ts';
import { MAX_TIMER_MS } from '../runtime/timers.ts';

/** What is read of a function's context. */
export interface LambdaContext {
  getRemainingTimeInMillis(): number;
}

/** The answer to an event, in a form that function URLs and all kinds of API Gateway take. */
export interface LambdaResult {
  readonly statusCode: number;
  readonly headers: Record<string, string>;
  /** Values of `Set-Cookie`, where there are any, for function URLs and HTTP APIs. */
  readonly cookies?: string[];
  /** The same for REST APIs. */
  readonly multiValueHeaders?: Record<string, string[]>;
  readonly body: string;
}

/** A function that the runtime has marked as one that streams: to be exported as the handler, and called by nobody but the runtime. */
export type LambdaStreamHandler<Event extends LambdaEvent = LambdaEvent> = (
  event: Event,
  output: Writable,
  context: LambdaContext,
) => Promise<void>;

/** Options of `toLambdaHandler` and `toLambdaStreamHandler`. */
export interface LambdaHandlerOptions<AuthInfo, Event extends LambdaEvent = LambdaEvent> {
  /**
   * Tells the verified token of a request, or refuses it with a response. `requireBearerAuth` of `@modelcontextprotocol/server` fits; where API Gateway has
   * verified the token, it is in the event. `undefined`: the request has none, and is let in without. What it throws fails the invocation.
   *
   * Default: no request has one.
   */
  readonly authenticate?: (
    request: Request,
    event: Event,
  ) => AuthInfo | Response | undefined | Promise<AuthInfo | Response | undefined>;
  /**
   * How long a stream stays open, in milliseconds; its client comes back for the rest. It ends a second before the function's own time in any case.
   *
   * Default: 5 seconds (`5_000`) where the answer is sent as a whole, and as long as the function has where it streams.
   */
  readonly maxStreamMs?: number;
}

/** What is left of a function's time for sending the answer, in milliseconds. */
const RESERVE_MS = 1_000;
const DEFAULT_COLLECT_MS = 5_000;
const NAMES: OptionNames<LambdaHandlerOptions<never>> = {
  authenticate: ['auth', 'authorize', 'verify'],
  maxStreamMs: ['streamMs', 'timeout', 'timeoutMs'],
};

/**
 * Lets AWS Lambda use a handler, behind a function URL or API Gateway, and answer with whole bodies.
 *
 * A stream is collected until it ends or `maxStreamMs` have passed. Either way nothing is lost: a client of revision 2025-11-25 or later comes back with the id
 * of the last event that it has. What a tool does after its call was answered stands still while the function is frozen.
 *
 * @throws TypeError or RangeError for what is no handler, and for an option.
 */
export function toLambdaHandler<AuthInfo, Event extends LambdaEvent = LambdaEvent>(
  handler: FetchHandler<AuthInfo>,
  options: LambdaHandlerOptions<AuthInfo, Event> = {},
): (event: Event, context?: LambdaContext) => Promise<LambdaResult> {
  const maxStreamMs = checked(handler, options, DEFAULT_COLLECT_MS);
  return (event, context) =>
    inTime(maxStreamMs, context, async (deadline) => {
      const { status, headers, body } = await respond(handler, event, options.authenticate);
      const decoder = new TextDecoder();
      let text = '';
      for await (const chunk of chunksUntil(body, deadline)) text += decoder.decode(chunk, { stream: true });
      return { ...head(event, status, headers), body: text + decoder.decode() };
    });
}

/**
 * Lets AWS Lambda use a handler and stream its answers: behind a function URL whose invoke mode is `RESPONSE_STREAM`, or a REST API of API Gateway whose
 * response transfer mode is `STREAM`. What is sent arrives at once, and clients can listen.
 *
 * A stream ends a second before the time of its invocation is up, or after `maxStreamMs`. Its client comes back with the id of the last event that it has, in
 * whichever environment. A function is not told when its client has gone: without `maxStreamMs`, a stream that nobody reads is paid for until then.
 *
 * @throws TypeError or RangeError for what is no handler, and for an option; TypeError outside of the Node.js runtime of Lambda, which marks the functions that stream.
 */
export function toLambdaStreamHandler<AuthInfo, Event extends LambdaEvent = LambdaEvent>(
  handler: FetchHandler<AuthInfo>,
  options: LambdaHandlerOptions<AuthInfo, Event> = {},
): LambdaStreamHandler<Event> {
  const maxStreamMs = checked(handler, options, Number.POSITIVE_INFINITY);
  const awslambda = (globalThis as { readonly awslambda?: unknown }).awslambda as Runtime<Event> | undefined;
  if (awslambda === undefined)
    throw new TypeError('Global awslambda is missing: only the Node.js runtime of AWS Lambda has it');
  return awslambda.streamifyResponse((event, output, context) =>
    inTime(maxStreamMs, context, async (deadline) => {
      const { status, headers, body } = await respond(handler, event, options.authenticate);
      const stream = awslambda.HttpResponseStream.from(output, head(event, status, headers));
      const gone = new AbortController();
      stream.once('close', () => gone.abort());
      // Status and headers go out with the first write, and a stream may have nothing to say for a while.
      stream.write('');
      await pipeline(chunksUntil(body, AbortSignal.any([deadline, gone.signal])), stream);
    }),
  );
}

/** Checks what an adapter is given. @returns `maxStreamMs`, with its default. */
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

/** What the Node.js runtime puts into the global scope (docs.aws.amazon.com/lambda/latest/dg/config-rs-write-functions.html). */
interface Runtime<Event extends LambdaEvent> {
  streamifyResponse(handler: LambdaStreamHandler<Event>): LambdaStreamHandler<Event>;
  readonly HttpResponseStream: { from(output: Writable, metadata: Omit<LambdaResult, 'body'>): Writable };
}

async function respond<AuthInfo, Event extends LambdaEvent>(
  handler: FetchHandler<AuthInfo>,
  event: Event,
  authenticate: LambdaHandlerOptions<AuthInfo, Event>['authenticate'],
): Promise<Response> {
  const request = await made(() => toWebRequest(event));
  if (request instanceof Response) return request;
  const authInfo = await authenticate?.(request, event);
  return authInfo instanceof Response ? authInfo : answer(() => handler.fetch(request, { authInfo }));
}

/** Does the work of an invocation, and tells when its streams have to end. */
async function inTime<T>(
  maxStreamMs: number,
  context: LambdaContext | undefined,
  work: (deadline: AbortSignal) => Promise<T>,
): Promise<T> {
  const left = (context?.getRemainingTimeInMillis() ?? Number.POSITIVE_INFINITY) - RESERVE_MS;
  const deadline = new AbortController();
  // It keeps the process busy, unlike AbortSignal.timeout: the runtime takes an invocation for done that waits for nothing that could wake it.
  const timer = setTimeout(() => deadline.abort(), Math.max(0, Math.min(maxStreamMs, left, MAX_TIMER_MS)));
  try {
    return await work(deadline.signal);
  } finally {
    clearTimeout(timer);
  }
}

function head(event: LambdaEvent, statusCode: number, headers: Headers): Omit<LambdaResult, 'body'> {
  const cookies = headers.getSetCookie();
  const others = Object.fromEntries([...headers].filter(([name]) => name !== 'set-cookie'));
  if (cookies.length === 0) return { statusCode, headers: others };
  const asCookies = 'httpMethod' in event ? { multiValueHeaders: { 'set-cookie': cookies } } : { cookies };
  return { statusCode, headers: others, ...asCookies };
}

/** A body until its end or the deadline. Closes our side of it in either case; the work behind it goes on. */
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
