import { MAX_TIMER_MS } from '../values/option-checks.ts';

/**
 * The shortest life of a connection, in milliseconds: a lenient verifier accepts expired tokens.
 */
const AT_LEAST_MS = 1_000;

/** Whether a token has expired. @param expiresAt Unix seconds; `undefined`: never. */
export function isExpired(expiresAt: number | undefined): boolean {
  return expiresAt !== undefined && Date.now() >= expiresAt * 1_000;
}

/**
 * How long a connection may stay open for its client's token. To receive more, the client needs a
 * new token.
 *
 * @param expiresAt Unix seconds, as `authInfo` of both SDK lines has it; `undefined`: never.
 * @returns A function that tells the milliseconds that are left now, for {@link whenOver}.
 */
export function tokenLifetime(expiresAt: number | undefined): () => number {
  if (typeof expiresAt !== 'number' || Number.isNaN(expiresAt)) return () => Number.POSITIVE_INFINITY;
  const at = Math.max(expiresAt * 1_000, Date.now() + AT_LEAST_MS);
  return () => at - Date.now();
}

/**
 * Ends a connection when no time is left. It does not keep the process alive.
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
