import { MAX_TIMER_MS } from '../runtime/timers.ts';
import type { StoreHealth } from '../store/health.ts';

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

/** How often a stream that is over is looked at again while its client could not reconnect. */
const LOOK_AGAIN_MS = 1_000;

/**
 * Ends a connection after a time.
 *
 * @param ms `Infinity`: never.
 * @param health While requests are served without the store, the client could not reconnect, so the
 * connection stays open.
 * @returns A function that cancels it.
 */
export function whenOver(ms: number, health: Pick<StoreHealth, 'degraded'>, end: () => void): () => void {
  if (ms > MAX_TIMER_MS) return () => undefined;
  let timer = setTimeout(look, ms).unref();
  function look(): void {
    if (health.degraded) timer = setTimeout(look, LOOK_AGAIN_MS).unref();
    else end();
  }
  return () => clearTimeout(timer);
}
