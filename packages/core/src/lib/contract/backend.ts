import type { BackendAdministration } from './administration.ts';
import type { Capabilities } from './capabilities.ts';
import type { ProcessBackend } from './process-backend.ts';
import type {
  AppendOutcome,
  AppendRequest,
  ChangeResult,
  EventPage,
  EventQuery,
  NewSession,
  PolledHead,
  SessionAsker,
  SessionChange,
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
 * What a database does for durable sessions. Core checks every argument, knows the time and
 * decides. A backend makes each method one operation of its database and returns rows.
 *
 * Terms:
 *
 * - A **session** is a record with a state, which is a set of keys, and a **log**, which is a list
 *   of events on any number of **streams**.
 * - A session is **live at `now`** when it exists, was not ended, and its `expiresAt` is greater
 *   than `now`.
 * - To **renew** a session is to move its `expiresAt` and `touchedAt` forward. They never go back.
 * - To **end** a session makes it dead at once. What remains is a **tombstone**, which keeps the id
 *   taken until its `purgeAt`.
 * - A **sweep** removes what is dead. Nothing depends on when it runs.
 * - The **number** (`seq`) of an event is its place in the log of its session.
 * - To **trim** a log is to remove its oldest events.
 * - The **version** of a state key is the number of the commit that wrote it.
 * - A **hint** says that a session may have new events or may have ended. It may be lost, repeated
 *   or early.
 * - A **token** marks one append request, so that a repeated request is recognized.
 *
 * Promises that hold for every method:
 *
 * - A session that is not live is not there, whether a sweep has passed or not: reads return
 *   `undefined`, and writes change nothing.
 * - Every write checks that the session is live in one atomic step with the write itself. After an
 *   acknowledged end no write succeeds, from any process, however they race.
 * - A write that carries `expiresAt` renews the session in that same step.
 * - A resolved write is visible to every read that starts later, in every process. If
 *   {@link Capabilities.durable} is true, it also survives the sudden end of the process.
 * - A backend reads no clock, logs nothing, caches no answer, and retries nothing that its database
 *   can do atomically. It starts a timer only to give up on a silent server, to back off, to
 *   space out hints, or to be certain that a process has ended.
 * - A failure is a rejected promise with a `SessionError` whose code begins with `STORE_` and whose
 *   `cause` is the driver's error. `retryable` says whether the same call can succeed later,
 *   `outcomeUnknown` whether a write may have happened.
 */
export interface SessionBackend extends BackendAdministration, ProcessBackend {
  /** Short name for messages and observation, such as `sqlite`. */
  readonly name: string;
  readonly capabilities: Capabilities;

  /**
   * Creates a session unless its id is taken: by a live session, by an expired one that was not
   * swept, or by a tombstone. Of two racing calls exactly one wins. Nothing is ever replaced.
   *
   * @returns Whether the session was created.
   */
  createSession(session: NewSession, now: number): Promise<boolean>;

  /**
   * Reads a session, strongly consistent.
   *
   * @param asker Who asks; `undefined` finds the session of any owner. The database compares, so
   * that another principal's session costs what an unknown id costs, and its profile and record are
   * not read.
   * @returns `undefined` if the session is not live at `now`, or not the asker's.
   */
  readSession(id: string, now: number, asker?: SessionAsker): Promise<SessionRow | undefined>;

  /**
   * Replaces the profile, the record, or both in one step, if each of them still has the version
   * that the change expects.
   *
   * A transport changes the record each time a client connects. Its write costs what the record
   * weighs, however large the profile is.
   *
   * @returns `undefined` if the session is not live at `now`.
   */
  updateSession(id: string, change: SessionChange, now: number): Promise<ChangeResult | undefined>;

  /**
   * Renews a session: `expiresAt` becomes the greater of the stored and the given one, `touchedAt`
   * the greater of the stored one and `now`.
   *
   * @returns Whether the session is live at `now`.
   */
  touchSession(id: string, expiresAt: number, now: number): Promise<boolean>;

  /**
   * Ends a live session and leaves a tombstone until `purgeAt`. State and events are unreadable at
   * once; they are removed now or by sweeps. If `purgeAt` is not after `now`, the next sweep
   * removes everything, and a backend need not leave a tombstone.
   *
   * @returns `true` for exactly one caller; `false` if the session is not live at `now`.
   */
  endSession(id: string, purgeAt: number, now: number): Promise<boolean>;

  /**
   * Lists live sessions in the byte order of their ids. A walk over all pages shows every session
   * that was live all the while, once.
   *
   * Together with `countSessions` this is the one read that may lag behind writes, if a database
   * has only such an index. The documentation of the backend then says so.
   */
  listSessions(query: SessionPageQuery, now: number): Promise<SessionPage>;

  /**
   * Counts live sessions over any number of the database's own pages: exactly what a full listing
   * would show. Never called while a request waits.
   */
  countSessions(query: SessionQuery, now: number): Promise<number>;

  /**
   * Removes expired sessions and the data of ended ones with everything that belongs to them, and
   * tombstones whose `purgeAt` is at or before `now`.
   *
   * Removes about `limit` rows in one call, those of state and events included, so that no step
   * blocks others for long. A session's own record goes last, so that a later step can finish what
   * an interrupted one has begun. Several sweeps may run at once.
   */
  sweep(limit: number, now: number): Promise<SweepResult>;

  /**
   * Reads keys of a session's state, or all of them, as of one moment: a commit of several keys is
   * seen whole or not at all.
   *
   * @param keys `undefined` reads all keys. A key that does not exist is left out.
   * @returns Rows in any order; `undefined` if the session is not live at `now`.
   */
  readState(
    sessionId: string,
    keys: readonly string[] | undefined,
    now: number,
  ): Promise<readonly StateRow[] | undefined>;

  /**
   * Writes keys of a session's state, all or nothing. Each commit takes the next number of a
   * counter of the session, which becomes the version of all keys that it writes. Versions grow and
   * never repeat, even after a key was removed or the state cleared.
   *
   * Expected versions are checked before limits. A limit refuses a commit only if the sum grows and
   * exceeds the limit, so that a state above a lowered limit can still shrink. `judgeCommit`
   * decides all of this.
   *
   * @returns `undefined` if the session is not live at `now`.
   */
  commitState(commit: StateCommit, now: number): Promise<StateResult | undefined>;

  /**
   * Removes all keys of a session's state in one step. Takes the next version, as a commit does.
   *
   * @param expiresAt Renews the session, as in `touchSession`; `undefined` leaves its times alone.
   * @returns How many keys there were; `undefined` if the session is not live at `now`.
   */
  clearState(sessionId: string, expiresAt: number | undefined, now: number): Promise<number | undefined>;

  /**
   * Appends events to several sessions; no session twice in one call.
   *
   * Numbers start at 1 and grow by 1 per session, whatever the stream. They are never used again,
   * not even after a trim, after a restart, or when the log is empty. A reader of event n can
   * already read every event below n that was not trimmed: the order of the numbers is the order of
   * the commits. If the process is killed, a request is stored whole or not at all.
   *
   * A request whose token is known (see {@link AppendRequest.token}) returns the numbers of the
   * first time.
   *
   * @returns One entry per request, in order. `undefined` if its session is not live at `now`; an
   * error if it was refused or its outcome is unknown. Such a request does not fail the others.
   * @throws SessionError if the backend only knows that the whole call failed.
   */
  appendEvents(batch: readonly AppendRequest[], now: number): Promise<readonly AppendOutcome[]>;

  /**
   * Reads one page of a session's log by an index. The cost depends on the page, not on the log or
   * the store.
   *
   * @returns `undefined` if the session is not live at `now`.
   */
  readEvents(query: EventQuery, now: number): Promise<EventPage | undefined>;

  /**
   * Removes the oldest events of a session while a bound is exceeded, and remembers for each stream
   * the greatest number removed from it. Never removes an event from the middle of the log.
   *
   * Remembers the trims of at least the 10,000 (`REMEMBERED_TRIMS`) most recently trimmed streams
   * of a session. {@link EventPage.trimmedSeq} says what holds for the others.
   *
   * @returns How many events were removed; fewer than `limit` means that no bound is exceeded any
   * more. `undefined` if the session is not live at `now`.
   */
  trimEvents(sessionId: string, bound: TrimBound, now: number): Promise<number | undefined>;

  /**
   * Reads the heads of many logs in one round trip, for polling.
   *
   * @returns The heads of the sessions that are live at `now`.
   */
  readHeads(ids: readonly string[], now: number): Promise<ReadonlyMap<string, PolledHead>>;

  /**
   * A number that differs from the last one if another process may have written in between. Takes
   * microseconds and no lock. If a backend has it, core asks it before each `readHeads` of a poll.
   */
  readChangeMarker?(): number;

  /**
   * Calls `onHint` with the id of a session that another process or another backend instance
   * appended to or ended. Do not report this instance's own writes. Hints make tails quicker and
   * decide nothing.
   *
   * @returns A function that stops the hints.
   */
  watch?(onHint: (sessionId: string) => void): Promise<() => Promise<void>>;

  /**
   * Creates the schema or brings it up to date. Safe from several processes at once; quick if there
   * is nothing to do.
   *
   * @throws SessionError `STORE_SCHEMA_TOO_NEW` if a newer version of the package has migrated the
   * storage.
   */
  migrate(): Promise<void>;

  /** Makes one round trip to the database. */
  ping(): Promise<void>;

  /**
   * Closes what the backend opened itself and leaves open what it was given. Safe to call again.
   * Core calls it when no other call is in progress.
   */
  close(): Promise<void>;
}
