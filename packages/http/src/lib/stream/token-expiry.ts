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
 * @returns A function that tells the milliseconds that are left now, for `whenOver`.
 */
export function tokenLifetime(expiresAt: number | undefined): () => number {
  if (typeof expiresAt !== 'number' || Number.isNaN(expiresAt)) return () => Number.POSITIVE_INFINITY;
  const at = Math.max(expiresAt * 1_000, Date.now() + AT_LEAST_MS);
  return () => at - Date.now();
}
