import { createHash } from 'node:crypto';

/**
 * The digest of parameters, whatever the order of their properties: SHA-256 of their JSON with
 * sorted names, in base64url. `undefined` is treated as `JSON.stringify` does.
 *
 * @throws TypeError or RangeError for what JSON cannot hold, and for thousands of levels.
 */
export function digestOf(parameters: unknown): string {
  const text = JSON.stringify(parameters, (_, value: unknown) =>
    typeof value === 'object' && value !== null && !Array.isArray(value)
      ? Object.fromEntries(Object.entries(value).toSorted(([a], [b]) => (a < b ? -1 : 1)))
      : value,
  ) as string | undefined;
  return createHash('sha256')
    .update(text ?? '')
    .digest('base64url');
}
