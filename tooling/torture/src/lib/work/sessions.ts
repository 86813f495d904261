/** The sessions of a round. A session's pool decides what workers may do to it. */
export interface Pools {
  /** Never ended or trimmed: everything acknowledged must be there at the end. */
  readonly steady: readonly string[];
  /** Their logs are trimmed now and then. */
  readonly trimmed: readonly string[];
  /** Any worker may end them at any time. */
  readonly ended: readonly string[];
}

/** The principal of all sessions of a run. */
export const PRINCIPAL = 'torture';
/** Streams of each log. */
export const STREAMS: readonly string[] = ['a', 'b', 'c'];
/** How many of the newest events a trim leaves. */
export const KEPT_EVENTS = 50;
/** TTL of a session that a worker creates and leaves to the sweeps, in milliseconds. */
export const BRIEF_TTL_MS = 400;
