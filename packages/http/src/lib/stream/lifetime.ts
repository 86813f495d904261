import { MAX_TIMER_MS } from '@mcp-session/core/backend';

/** By when the stream of a request has to end, by `performance.now()`. */
const deadlines = new WeakMap<Request, number>();

/** Notes how long the stream of a request may stay open from now on, in milliseconds. */
export function noteLifetime(request: Request, ms: number): void {
  deadlines.set(request, performance.now() + ms);
}

/** How long it may still stay open, in milliseconds; `undefined`: nothing is noted. */
export function lifetimeOf(request: Request): number | undefined {
  const deadline = deadlines.get(request);
  return deadline === undefined ? undefined : Math.max(0, deadline - performance.now());
}

/**
 * Ends a connection when no time is left.
 *
 * @param leftMs How long the connection may still stay open; `Infinity`: forever. It is asked again
 * when that time has passed.
 * @returns A function that cancels it.
 */
export function whenOver(leftMs: () => number, end: () => void): () => void {
  if (leftMs() === Number.POSITIVE_INFINITY) return () => undefined;
  let timer: NodeJS.Timeout | undefined;
  const lookIn = (ms: number): void => {
    timer = setTimeout(look, Math.min(Math.ceil(ms), MAX_TIMER_MS)).unref();
  };
  const look = (): void => {
    const ms = leftMs();
    if (ms > 0) lookIn(ms);
    else end();
  };
  lookIn(Math.max(0, leftMs()));
  return () => clearTimeout(timer);
}
