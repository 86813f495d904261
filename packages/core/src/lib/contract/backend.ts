import type {
  AppendOutcome,
  AppendRequest,
  EventPage,
  EventQuery,
  NewSession,
  PolledHead,
  ProfileChange,
  ProfileResult,
  SessionAsker,
  SessionPage,
  SessionPageQuery,
  SessionQuery,
  SessionRow,
  StateCommit,
  StateResult,
  StateRow,
  SweepResult,
  TrimBound,
} from './rows.ts';

/**
 * Facts about a backend. Core adapts to them and the conformance kit tests each side of each: they never switch a test off.
 */
export interface Capabilities {
  /** Whether other processes can open the same storage and see each other's writes at once. */
  readonly shared: boolean;
  /** Whether a resolved write survives the sudden end of the process. */
  readonly durable: boolean;
  /** Largest message of an event, in bytes of UTF-8: 1 MiB (1,048,576) or more. */
  readonly maxEventBytes: number;
  /** Largest value of a state key, in bytes of UTF-8: 1 MiB or more. */
  readonly maxValueBytes: number;
  /** Most events that one {@link SessionBackend.appendEvents} call may carry, over all its requests. */
  readonly maxBatchEvents: number;
  /** Most requests, each for another session, that one {@link SessionBackend.appendEvents} call may carry: 1 where the database handles each by itself anyway. */
  readonly maxBatchSessions: number;
  /** How many `appendEvents` calls are useful at the same time. Core never has two for one session. */
  readonly concurrentBatches: number;
  /**
   * Whether a commit holds up the calling thread until it is on the disk, as with a driver that works synchronously. Core then begins a batch of appends
   * only when the event loop has handled what had arrived by then, so that all of it shares the commit.
   */
  readonly blocksThread: boolean;
  /**
   * How often core looks for what other processes appended while a tail waits, in milliseconds. It begins with `minMs` and backs off to `maxMs`
   * while nothing comes, for each session by itself; with {@link SessionBackend.readChangeMarker} it stays at `minMs`. Where nothing is shared, it is how soon a tail notices that its session has expired.
   */
  readonly poll: { readonly minMs: number; readonly maxMs: number };
}

/**
 * What a database does for durable sessions. Core has checked every argument, knows the time and decides; a backend makes each method
 * one operation of its database and returns rows.
 *
 * Promises that hold for every method:
 *
 * - A session is **live at `now`** when it exists, was not ended, and its `expiresAt` is greater than `now`. What is not live
 *   is not there: reads return `undefined`, writes change nothing, whether a sweep has passed or not.
 * - Every write checks in one atomic step with the write itself that the session is live. An end that was acknowledged
 *   is followed by no successful write, from any process, however they race.
 * - A write that carries `expiresAt` renews the session in that same step: `expiresAt` and `touchedAt` (to `now`) only ever grow.
 * - A resolved write is visible to every read that starts later, in every process, and, where
 *   {@link Capabilities.durable} is true, survives the sudden end of the process.
 * - A backend reads no clock, starts no timer but to give up on a server that does not answer or to space out hints, logs nothing, caches no answer,
 *   and retries nothing that its database can do atomically.
 * - A failure is a rejected promise with a `SessionError` whose code begins with `STORE_`, the driver's error as its cause. `retryable` says
 *   whether the same call can succeed later, `outcomeUnknown` whether a write may have happened.
 */
export interface SessionBackend {
  /** Short name for messages and observation, such as `sqlite`. */
  readonly name: string;
  readonly capabilities: Capabilities;

  /**
   * Creates a session unless its id is taken: by a live session, an expired one that was not swept, or a tombstone. Of two racing
   * creates exactly one wins. Nothing is ever replaced.
   *
   * @returns Whether the session was created.
   */
  createSession(session: NewSession, now: number): Promise<boolean>;

  /**
   * Reads a session, strongly consistent.
   *
   * @param asker Who asks. What is not theirs is not there: the database compares, so that a session of somebody else costs what an unknown id costs, and its
   * profile is not read. `undefined`: nothing is compared.
   * @returns `undefined` where it is not live at `now`, or not the asker's.
   */
  readSession(id: string, now: number, asker?: SessionAsker): Promise<SessionRow | undefined>;

  /**
   * Replaces the profile if it still has the expected version.
   *
   * @returns `undefined` where the session is not live at `now`.
   */
  updateSession(id: string, change: ProfileChange, now: number): Promise<ProfileResult | undefined>;

  /**
   * Renews a session: `expiresAt` becomes the greater of what it is and what is given, `touchedAt` likewise with `now`.
   *
   * @returns Whether the session is live at `now`.
   */
  touchSession(id: string, expiresAt: number, now: number): Promise<boolean>;

  /**
   * Ends a live session and leaves a tombstone that keeps the id taken until `purgeAt`. State and events are unreadable at once;
   * they are removed now or by sweeps. With a `purgeAt` that is not after `now` the next sweep removes all of it, and a backend need not leave a tombstone.
   *
   * @returns `true` for exactly one caller; `false` where the session is not live at `now`.
   */
  endSession(id: string, purgeAt: number, now: number): Promise<boolean>;

  /**
   * Lists live sessions in the byte order of their ids. A walk over all pages shows every session that was live all the while, once.
   *
   * With `countSessions` it is the one read that may lag behind writes, where a database has only such an index; its package's documentation then says so.
   */
  listSessions(query: SessionPageQuery, now: number): Promise<SessionPage>;

  /** Counts live sessions over any number of the database's own pages: exactly what a full listing would show. Never on a request's path. */
  countSessions(query: SessionQuery, now: number): Promise<number>;

  /**
   * Removes what is past its time: expired sessions and the data of ended ones with all that belongs to them, and tombstones whose `purgeAt` has
   * come (is at or before `now`). At most about `limit` rows in one call, counting those of state and events, so that no step blocks others for long; a session's own
   * record goes last, so that a step that is cut off is finished by a later one. Harmless when several run at once.
   */
  sweep(limit: number, now: number): Promise<SweepResult>;

  /**
   * Reads keys of a session's state, or all of them, as of one moment: a commit of several keys is seen whole or not at all.
   *
   * @param keys `undefined`: all keys. A key that does not exist is left out.
   * @returns Rows in any order; `undefined` where the session is not live at `now`.
   */
  readState(
    sessionId: string,
    keys: readonly string[] | undefined,
    now: number,
  ): Promise<readonly StateRow[] | undefined>;

  /**
   * Writes keys of a session's state, all or nothing. Each commit takes the next number of a counter of the session, and that is the version
   * of all keys it writes: versions grow and never repeat, also after a key was removed or the state cleared.
   *
   * Expected versions are checked before limits. A limit refuses a commit only if it makes that sum greater than it was
   * and greater than the limit, so that what is over a lowered limit can still be removed or made smaller.
   *
   * @returns `undefined` where the session is not live at `now`.
   */
  commitState(commit: StateCommit, now: number): Promise<StateResult | undefined>;

  /**
   * Removes all keys of a session's state in one step. Counts as a commit for the versions that follow.
   *
   * @param expiresAt Renews the session, as in `touchSession`; `undefined`: leaves its times alone.
   * @returns How many keys there were; `undefined` where the session is not live at `now`.
   */
  clearState(sessionId: string, expiresAt: number | undefined, now: number): Promise<number | undefined>;

  /**
   * Appends events to several sessions; no session twice in one call.
   *
   * Numbers start at 1 and grow by 1 per session, whatever the stream, and are never used again: not after a trim, a
   * restart, or when the log is empty. Whoever can read event n can already read every event below n that was not trimmed: the order of the
   * numbers is the order of the commits. A request whose process is killed is there whole or not at all.
   *
   * A request whose token is known (see {@link AppendRequest.token}) returns the numbers that it got the first time.
   *
   * @returns One entry per request, in order: `undefined` where its session is not live at `now`, and an error where it was refused or its outcome is not known
   * while those of others are. Such a request does not fail the others.
   * @throws SessionError where the backend knows no more than that of the whole call.
   */
  appendEvents(batch: readonly AppendRequest[], now: number): Promise<readonly AppendOutcome[]>;

  /**
   * Reads one page of a session's log by an index: its cost depends on the page, not on the log or the store.
   *
   * @returns `undefined` where the session is not live at `now`.
   */
  readEvents(query: EventQuery, now: number): Promise<EventPage | undefined>;

  /**
   * Removes the oldest events of a session while a bound is exceeded, and remembers for each stream the greatest number that it took.
   * Never takes an event out of the middle of the log.
   *
   * Remembers the trims of at least the 10,000 streams of a session that were trimmed last; see {@link EventPage.trimmedSeq} for the others.
   *
   * @returns How many were removed: fewer than `limit` means that no bound is exceeded any more; `undefined` where the session is not live at `now`.
   */
  trimEvents(sessionId: string, bound: TrimBound, now: number): Promise<number | undefined>;

  /**
   * Reads where the logs of many sessions stand, in one round trip. For polling.
   *
   * @returns Those that are live at `now`.
   */
  readHeads(ids: readonly string[], now: number): Promise<ReadonlyMap<string, PolledHead>>;

  /**
   * A number that has changed when another process may have written since it was last read; it takes microseconds and no lock.
   * Where a backend has it, core asks it before each `readHeads` of a poll.
   */
  readChangeMarker?(): number;

  /**
   * Calls `onHint` with the id of a session whose log or life others have moved: other processes, and other backends of this one. What moved through this backend its
   * owner knows, and a hint of it would only make tails read again. Hints make tails quicker and decide nothing: they may be lost, doubled or early.
   *
   * @returns A function that stops the hints.
   */
  watch?(onHint: (sessionId: string) => void): Promise<() => Promise<void>>;

  /**
   * Makes the schema or brings it up to date. Safe from several processes at once; quick where nothing is to be done.
   *
   * @throws SessionError `STORE_SCHEMA_TOO_NEW` where a newer version of the package has migrated the storage.
   */
  migrate(): Promise<void>;

  /** Makes one round trip to the database. */
  ping(): Promise<void>;

  /** Closes what the backend opened itself and leaves open what it was given. Safe to call again. Core calls it when nothing is under way. */
  close(): Promise<void>;
}
