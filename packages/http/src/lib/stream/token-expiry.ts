import type { StoreHealth } from '../store/health.ts';
import { whenOver } from './lifetime.ts';

/**
 * The shortest life of a connection, in milliseconds: a lenient verifier accepts expired tokens.
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
 * @returns A function that cancels it, see {@link whenOver}.
 */
export function whenExpired(
  expiresAt: number | undefined,
  health: Pick<StoreHealth, 'degraded'>,
  end: () => void,
): () => void {
  if (typeof expiresAt !== 'number' || Number.isNaN(expiresAt)) return () => undefined;
  const at = Math.max(expiresAt * 1_000, Date.now() + AT_LEAST_MS);
  return whenOver(() => at - Date.now(), health, end);
}
