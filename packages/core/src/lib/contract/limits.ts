/** A token must be known while the event that it came with is among so many newest of its session. More may be known. */
export const REMEMBERED_TOKENS = 1_000;

/** So many streams of a session, those that were trimmed last, must have the number of their last trimmed event known. */
export const REMEMBERED_TRIMS = 10_000;

/**
 * Forgetting in steps of so many events costs less than forgetting with each one: a backend then remembers up to so many
 * tokens or trims more than it must. See {@link passes}.
 */
export const FORGET_EVERY = 1_000;

/** Least `maxEventBytes` and `maxValueBytes` of {@link Capabilities}: 1 MiB. */
export const LEAST_MAX_BYTES = 1_048_576;

/** Most writes of one {@link StateCommit}. */
export const MAX_COMMIT_WRITES = 64;

/** Longest state key, in bytes of UTF-8. */
export const MAX_KEY_BYTES = 255;

/** Whether a number that grew from `before` to `after` has reached or passed a multiple of `step`. */
export function passes(step: number, before: number, after: number): boolean {
  return Math.floor(after / step) > Math.floor(before / step);
}
