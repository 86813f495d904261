import type { StoreHealth } from '../store/health.ts';

/** How long a connection lasts at the least, in milliseconds: a lenient verifier lets tokens in that have expired. And how often it is tried to end it. */
const AT_LEAST_MS = 1_000;
// Node fires a timer with a longer delay at once.
const MAX_TIMER_MS = 2 ** 31 - 1;

/**
 * Ends a connection when the token of its client expires: what is sent then is for one who shows a new one.
 *
 * @param expiresAt Unix seconds, as both SDK lines have it in `authInfo`; `undefined`: never.
 * @param health While requests do without the store, its client could not come back, and it goes on.
 * @returns Calls it off.
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
