/** A token must be known while its event is among this many newest events of the session. */
export const REMEMBERED_TOKENS = 1_000;

/** The trims of this many streams of a session must be known, those trimmed last. */
export const REMEMBERED_TRIMS = 10_000;

/**
 * A good step for forgetting tokens and trims: with each multiple of this many events rather than
 * with each event. Up to this many more are remembered than required. See {@link passes}.
 */
export const FORGET_EVERY = 1_000;

/** Least `maxEventBytes` and `maxValueBytes` of a backend: 1 MiB. */
export const LEAST_MAX_BYTES = 1_048_576;

/** Maximum number of writes of one {@link StateCommit}. */
export const MAX_COMMIT_WRITES = 64;

/** Longest state key, in bytes of UTF-8. */
export const MAX_KEY_BYTES = 255;

/**
 * Whether a number that grew from `before` to `after` has reached or passed a multiple of `step`.
 */
export function passes(step: number, before: number, after: number): boolean {
  return Math.floor(after / step) > Math.floor(before / step);
}
