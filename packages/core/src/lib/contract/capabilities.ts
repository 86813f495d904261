/**
 * Facts about a backend. Core adapts to them, and the conformance kit tests each fact whether it is
 * true or false. They never switch a test off.
 */
export interface Capabilities {
  /** Whether other processes can open the same storage and see each other's writes at once. */
  readonly shared: boolean;
  /** Whether a resolved write survives the sudden end of the process. */
  readonly durable: boolean;
  /** Largest message of an event, in bytes of UTF-8: at least 1 MiB (1,048,576). */
  readonly maxEventBytes: number;
  /** Largest value of a state key, in bytes of UTF-8: at least 1 MiB. */
  readonly maxValueBytes: number;
  /** Maximum number of events in one call of `appendEvents`, over all its requests. */
  readonly maxBatchEvents: number;
  /**
   * Maximum number of requests, each for another session, in one call of `appendEvents`. Use 1 if
   * the database handles each session by itself anyway.
   */
  readonly maxBatchSessions: number;
  /**
   * How many calls of `appendEvents` are useful at the same time. Core never makes two for one
   * session.
   */
  readonly concurrentBatches: number;
  /**
   * Whether a commit blocks the calling thread until it is on the disk, as with a synchronous
   * driver. Core then starts a batch of appends at the end of the event-loop turn, so that all
   * requests already received share one commit.
   */
  readonly blocksThread: boolean;
  /**
   * How often core looks for the appends of other processes while a tail waits, in milliseconds.
   * Core starts with `minMs` and backs off to `maxMs` while nothing arrives, separately for each
   * session. With `readChangeMarker` it stays at `minMs`. If nothing is shared, this is how soon a
   * tail notices that its session has expired.
   */
  readonly poll: { readonly minMs: number; readonly maxMs: number };
}
