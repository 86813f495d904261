import type { StateCommit, StateLimits } from './rows.ts';

/** Sums over all keys of a session's state. */
export interface StateTotals {
  readonly keys: number;
  /** Sum of the `bytes` of all keys. */
  readonly bytes: number;
}

/** The verdict on a commit. The backend adds the key's present row to a `conflict`. */
export type CommitVerdict =
  | { readonly status: 'conflict'; readonly key: string }
  | { readonly status: 'limit'; readonly limit: keyof StateLimits }
  /** The sums after the commit. */
  | { readonly status: 'accepted'; readonly totals: StateTotals };

/**
 * Decides whether a commit is accepted: first by the expected versions, in the order of the writes,
 * then by `maxKeys`, then by `maxBytes`.
 *
 * @param before For each write in order, the present entry of its key; `undefined` if it does not
 * exist.
 * @param totals The present sums.
 */
export function judgeCommit(
  { writes, limits }: Pick<StateCommit, 'writes' | 'limits'>,
  before: readonly ({ readonly version: number; readonly bytes: number } | undefined)[],
  totals: StateTotals,
): CommitVerdict {
  let addedKeys = 0;
  let addedBytes = 0;
  for (const [index, { key, value, bytes, expectedVersion }] of writes.entries()) {
    const current = before[index];
    if (expectedVersion !== undefined && expectedVersion !== (current?.version ?? 0)) {
      return { status: 'conflict', key };
    }
    addedKeys += Number(value !== undefined) - Number(current !== undefined);
    addedBytes += bytes - (current?.bytes ?? 0);
  }
  const after = { keys: totals.keys + addedKeys, bytes: totals.bytes + addedBytes };
  if (addedKeys > 0 && after.keys > limits.maxKeys) return { status: 'limit', limit: 'maxKeys' };
  if (addedBytes > 0 && after.bytes > limits.maxBytes) return { status: 'limit', limit: 'maxBytes' };
  return { status: 'accepted', totals: after };
}
