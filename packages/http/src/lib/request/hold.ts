import { setTimeout as pause } from 'node:timers/promises';
import { responseWithBody } from '../protocol/buffered-body.ts';
import { isPassing, isServerFault, notAllowed } from '../protocol/http-errors.ts';
import { DEFAULT_REVISION, FIRST_POLLING_REVISION } from '../protocol/revisions.ts';
import type { Bounds } from '../stream/bounds.ts';
import { lifetimeOf } from '../stream/lifetime.ts';
import { restartFrame, type RetryOptions } from '../stream/retry.ts';
import { cursorFrame, SSE_HEADERS } from '../stream/sse.ts';
import { checkReadsStream } from './accept.ts';

export interface HoldContext extends RetryOptions {
  readonly standaloneStream: boolean;
  readonly bounds: Bounds;
  readonly holdMs: number;
  readonly onError: (error: unknown) => void;
}

/** @throws HttpError 405 if it is for the standalone stream and clients may not open that, 406 */
export function checkGet(request: Request, { standaloneStream }: Pick<HoldContext, 'standaloneStream'>): void {
  checkReadsStream(request);
  if (!standaloneStream && !request.headers.get('last-event-id')) throw notAllowed('POST, DELETE');
}

/** The first delay after which a held request is tried again, in milliseconds. It doubles. */
const FIRST_DELAY_MS = 100;
/** The longest one. */
const LAST_DELAY_MS = 2_000;

/**
 * Holds a GET while what keeps it from being answered passes by itself: the store is away, or the
 * session moves. Clients take an error for an answer: VS Code does not listen again, and the Go SDK
 * gives up its session.
 *
 * @param open Opens the stream. It is called again until it succeeds.
 * @param isClosing Returns whether this process stops.
 * @throws What `open` throws if it does not pass. HttpError 503 if too many streams are open.
 */
export async function hold(
  request: Request,
  context: HoldContext,
  open: () => Promise<Response>,
  isClosing: () => boolean,
): Promise<Response> {
  const { bounds, onError } = context;
  const holdMs = Math.min(context.holdMs, lifetimeOf(request) ?? context.holdMs);
  const until = performance.now() + holdMs;
  let reported = false;
  for (let delayMs = FIRST_DELAY_MS; !isClosing(); delayMs = Math.min(2 * delayMs, LAST_DELAY_MS)) {
    const failure = await open().catch((error: unknown) => ({ error }));
    if (failure instanceof Response) return failure;
    const { error } = failure;
    if (holdMs === 0 || !isPassing(error)) throw error;
    if (!reported && isServerFault(error)) {
      reported = true;
      onError(error);
    }
    const leftMs = until - performance.now();
    if (leftMs <= 0 || request.signal.aborted) break;
    // It has a place only while it waits: the stream that it opens takes one of its own.
    const done = bounds.openStream(null);
    await pause(Math.min(delayMs, leftMs), undefined, { signal: request.signal, ref: false }).catch(() => undefined);
    done();
  }
  return comeBack(request, context);
}

/** A stream that ends at once. Its client reconnects from where it is. */
function comeBack({ headers }: Request, context: RetryOptions): Response {
  const cursor = headers.get('last-event-id');
  const revision = headers.get('mcp-protocol-version') ?? DEFAULT_REVISION;
  const first = cursor ? cursorFrame(cursor, revision >= FIRST_POLLING_REVISION) : '';
  return responseWithBody(first + restartFrame(context), SSE_HEADERS);
}
