import { MAX_TIMER_MS } from '@mcp-session/core/backend';

/** The shortest life of a stream, in milliseconds: a lenient verifier accepts expired tokens. */
const AT_LEAST_MS = 1_000;

/**
 * Calls `end` when a token expires, as `@mcp-session/http` does for its streams.
 *
 * @param expiresAt Unix seconds, as in `authInfo`; `undefined`: never.
 * @returns A function that cancels it.
 */
export function whenExpired(expiresAt: number | undefined, end: () => void): () => void {
  if (typeof expiresAt !== 'number' || Number.isNaN(expiresAt)) return () => undefined;
  const at = Math.max(expiresAt * 1_000, Date.now() + AT_LEAST_MS);
  let timer: NodeJS.Timeout;
  const wait = (): void => {
    const leftMs = at - Date.now();
    // A token may live longer than a timer can run.
    timer = setTimeout(leftMs > MAX_TIMER_MS ? wait : end, Math.min(leftMs, MAX_TIMER_MS)).unref();
  };
  wait();
  return () => clearTimeout(timer);
}
