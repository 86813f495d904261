import { MAX_TIMER_MS } from '../runtime/timers.ts';
import type { StoreHealth } from '../store/health.ts';

/**
 * The shortest life of a connection, in milliseconds: a lenient verifier accepts expired tokens.
 * Also the interval of retries while degraded.
 */
const AT_LEAST_MS = 1_000;

/** Whether a token has expired. @param expiresAt Unix seconds; `undefined`: never. */
export function isExpired(expiresAt: number | undefined): boolean {
  return expiresAt !== undefined && Date.now() >= expiresAt * 1_000;
}

/**
 * Ends a connection when its client's token expires. To receive more, the client needs a new token.
 *
 * @param expiresAt Unix seconds, as `authInfo` of both SDK lines has it; `undefined`: never.
 * @param health While requests are served without the store, the client could not reconnect, so the
 * connection stays open.
 * @returns A function that cancels it.
 */
export function whenExpired(
  expiresAt: number | undefined,
  health: Pick<StoreHealth, 'degraded'>,
  end: () => void,
): () => void {
  if (typeof expiresAt !== 'number' || Number.isNaN(expiresAt)) return () => undefined;
  const at = Math.max(expiresAt * 1_000, Date.now() + AT_LEAST_MS);
  let timer: NodeJS.Timeout | undefined;
  const wait = (): void => {
    const ms = at - Date.now();
    if (ms > 0) timer = setTimeout(wait, Math.min(Math.ceil(ms), MAX_TIMER_MS)).unref();
    else if (health.degraded) timer = setTimeout(wait, AT_LEAST_MS).unref();
    else end();
  };
  wait();
  return () => clearTimeout(timer);
}
