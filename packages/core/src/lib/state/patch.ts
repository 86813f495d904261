import { SessionError } from '../errors.ts';
import { wrongKind } from '../values/option-checks.ts';
import { isPlainObject } from '../values/plain.ts';
import { MAX_COMMIT_WRITES } from '../contract/limits.ts';
import type { StateWrite } from '../contract/rows.ts';

/**
 * Maximum bytes of a patch of several keys, on every backend: what fits a DynamoDB transaction for
 * certain.
 */
const MAX_PATCH_BYTES = 2_097_152;

/**
 * Reads the changes of a patch by key. The last change of a key counts.
 *
 * @throws TypeError if they are neither an object nor pairs. SessionError `STATE_LIMIT_EXCEEDED`.
 */
export function changesOf(changes: object): ReadonlyMap<string, unknown> {
  const pairs = new Map<string, unknown>();
  for (const pair of pairsOf(changes)) {
    if (!Array.isArray(pair)) {
      throw wrongKind('Changes of a patch hold', pair, 'a pair; give an object, or a list of [key, value]');
    }
    pairs.set(pair[0] as string, pair[1]);
  }
  if (pairs.size > MAX_COMMIT_WRITES) {
    throw new SessionError('STATE_LIMIT_EXCEEDED', `Patch of ${pairs.size} keys exceeds ${MAX_COMMIT_WRITES} keys`);
  }
  return pairs;
}

/** @throws SessionError `STATE_LIMIT_EXCEEDED` */
export function checkPatchBytes(writes: readonly StateWrite[]): void {
  const bytes = writes.reduce((sum, write) => sum + write.bytes, 0);
  if (writes.length > 1 && bytes > MAX_PATCH_BYTES) {
    throw new SessionError('STATE_LIMIT_EXCEEDED', `Patch of ${bytes} bytes exceeds ${MAX_PATCH_BYTES} bytes`);
  }
}

function pairsOf(changes: unknown): Iterable<unknown> {
  if (typeof changes === 'object' && changes !== null && Symbol.iterator in changes) {
    return changes as Iterable<unknown>;
  }
  if (isPlainObject(changes)) return Object.entries(changes);
  throw wrongKind('Changes of a patch are', changes, 'an object or a list of pairs');
}
