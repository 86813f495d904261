/** The sessions of a round. What may be done to one depends on its pool. */
export interface Pools {
  /** Nobody ends or trims them: everything that is acknowledged must be there at the end. */
  readonly steady: readonly string[];
  /** Their logs are trimmed now and then. */
  readonly trimmed: readonly string[];
  /** Anybody may end them at any time. */
  readonly ended: readonly string[];
}

/** Whose all sessions of a run are. */
export const PRINCIPAL = 'torture';
/** Streams of each log. */
export const STREAMS: readonly string[] = ['a', 'b', 'c'];
/** How many of the newest events a trim leaves. */
export const KEPT_EVENTS = 50;
/** Life of a session that a worker creates and leaves to the sweeps, in milliseconds. */
export const BRIEF_TTL_MS = 400;
