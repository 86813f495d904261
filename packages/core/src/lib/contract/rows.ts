import type { SessionError } from '../errors.ts';

/**
 * A session as a backend stores it.
 *
 * Times are Unix milliseconds, whole numbers, and always come from the caller: a backend never reads a clock.
 * Texts that core wrote (`profile`, values, messages) are opaque to a backend and come back unchanged.
 */
export interface SessionRow {
  /** 1 to 255 visible ASCII characters (0x21 to 0x7E), compared byte by byte: nothing is folded or trimmed. */
  readonly id: string;
  /** What the row is used for; `session` unless its creator said otherwise. */
  readonly kind: string;
  /** Whom the session belongs to; `null`: whoever has the id. */
  readonly principal: string | null;
  /** Core's own JSON text about the session. Opaque. */
  readonly profile: string;
  /** Version of `profile`: 1 at creation, one more with each {@link SessionBackend.updateSession}. */
  readonly version: number;
  readonly createdAt: number;
  /** The latest activity that was written; reads in between do not show here. */
  readonly touchedAt: number;
  /** The session is live while `expiresAt` is greater than now. */
  readonly expiresAt: number;
  /** Number of the newest event; 0 where none was ever appended. Never goes back. */
  readonly lastSeq: number;
}

/** A session to create. `createdAt` and `touchedAt` become the call's `now`, `version` 1, `lastSeq` 0. */
export interface NewSession {
  readonly id: string;
  readonly kind: string;
  readonly principal: string | null;
  readonly profile: string;
  readonly expiresAt: number;
}

/** Who asks for a session, and for which kind. */
export interface SessionAsker {
  /** Only a session of this kind is found. */
  readonly kind: string;
  /** Only a session of this principal is found, or one without a principal, which belongs to whoever has its id. `null`: only one without. */
  readonly principal: string | null;
}

/** A change of a session's profile. */
export interface ProfileChange {
  readonly profile: string;
  /** The change is made only while the profile has this version. */
  readonly expectedVersion: number;
  /** Renews the session with the change, as {@link SessionBackend.touchSession} does; `undefined`: leaves its times alone. */
  readonly expiresAt: number | undefined;
}

/** What became of a {@link ProfileChange}. `conflict` carries the row as it is now; nothing was changed. */
export type ProfileResult =
  | { readonly status: 'updated'; readonly version: number }
  | { readonly status: 'conflict'; readonly current: SessionRow };

/** Which sessions to list or count: the live ones of one kind. */
export interface SessionQuery {
  readonly kind: string;
  /** `undefined`: anyone's; `null`: only those without a principal. */
  readonly principal: string | null | undefined;
}

/** One page of a listing, in the byte order of the ids. */
export interface SessionPageQuery extends SessionQuery {
  /** Only ids greater than this one, byte by byte; `undefined`: from the first. It need not exist any more. */
  readonly afterId: string | undefined;
  /** At most so many rows, 1 or more. */
  readonly limit: number;
}

/** A page of sessions. */
export interface SessionPage {
  readonly rows: readonly SessionRow[];
  /** Whether there may be more after the last row. A page may be short, even empty, and still have more after it. */
  readonly more: boolean;
  /** Where the next page starts, as `afterId`; `undefined` where `more` is false. */
  readonly nextAfterId: string | undefined;
}

/** What one step of a sweep did. */
export interface SweepResult {
  /** Ids whose record is gone with this step: expired sessions, and tombstones past their time. */
  readonly ids: readonly string[];
  /** Whether nothing was left to remove. */
  readonly done: boolean;
}

/** One key of a session's state. */
export interface StateRow {
  readonly key: string;
  /** JSON text. Opaque. */
  readonly value: string;
  /** Number of the commit that wrote it, 1 or more. */
  readonly version: number;
}

/** A write of one key. */
export interface StateWrite {
  /** Any well-formed text of 1 to 255 bytes of UTF-8: also with U+0000, `__proto__`, dots, quotes, characters beyond the BMP. */
  readonly key: string;
  /** JSON text; `undefined` removes the key. */
  readonly value: string | undefined;
  /** UTF-8 bytes of key and value together; 0 where the key is removed. Counts towards {@link StateLimits.maxBytes}. */
  readonly bytes: number;
  /** The version that the key must have now; 0: it must not exist; `undefined`: whatever it is. */
  readonly expectedVersion: number | undefined;
}

/** How much state a session may hold. */
export interface StateLimits {
  readonly maxKeys: number;
  /** Sum of the `bytes` of all keys. */
  readonly maxBytes: number;
}

/** Writes of one or more different keys of a session, all or nothing. */
export interface StateCommit {
  readonly sessionId: string;
  /** 1 to 64 writes, no key twice. */
  readonly writes: readonly StateWrite[];
  readonly limits: StateLimits;
  /** Renews the session, as in {@link ProfileChange}. */
  readonly expiresAt: number | undefined;
}

/** What became of a {@link StateCommit}. Unless it is `committed`, nothing was changed. */
export type StateResult =
  | {
      readonly status: 'committed';
      /** Number of this commit: the version of every key that it wrote. */
      readonly version: number;
      /** For each write in order: whether the key existed before. */
      readonly existed: readonly boolean[];
    }
  | {
      readonly status: 'conflict';
      /** The first key, in the order of the writes, whose expected version was not the present one. */
      readonly key: string;
      /** That key as it is now; `undefined`: it does not exist. */
      readonly current: StateRow | undefined;
    }
  | { readonly status: 'limit'; readonly limit: keyof StateLimits };

/** An event to append. */
export interface NewEvent {
  /** 1 to 255 visible ASCII characters. */
  readonly streamId: string;
  /** JSON text. Opaque. */
  readonly message: string;
  /** UTF-8 bytes of `message`. Counts towards {@link AppendResult.retainedBytes}. */
  readonly bytes: number;
}

/** Events to append to one session, in order, all or nothing. */
export interface AppendRequest {
  readonly sessionId: string;
  /**
   * Random, new for each request, the same when a request is tried again because its outcome was unknown: 22 characters of base64url.
   * A token that is already among the session's last 1,000 events makes the call return the first outcome and append nothing.
   */
  readonly token: string;
  /** One or more. */
  readonly events: readonly NewEvent[];
  /** Renews the session, as in {@link ProfileChange}. */
  readonly expiresAt: number | undefined;
}

/** What became of an {@link AppendRequest}. */
export interface AppendResult {
  /** Number of the request's first event; the others follow without a gap. */
  readonly firstSeq: number;
  /** Events that the session's log holds after the append. */
  readonly retainedEvents: number;
  /** Their bytes. */
  readonly retainedBytes: number;
}

/** The answer to one request of a call: `undefined` where its session is not live, an error where it failed by itself. */
export type AppendOutcome = AppendResult | SessionError | undefined;

/** A stored event. */
export interface EventRow {
  readonly seq: number;
  readonly streamId: string;
  readonly message: string;
  readonly createdAt: number;
}

/** One page of a session's log. */
export interface EventQuery {
  readonly sessionId: string;
  /** Only this stream; `undefined`: the whole log. */
  readonly streamId: string | undefined;
  /** Only events with a greater number; `undefined`: the newest `limit` events rather than the oldest. Either way oldest first. */
  readonly afterSeq: number | undefined;
  /** At most so many events, 1 or more. */
  readonly limit: number;
  /** At most so many bytes of messages, but at least one event where there is one. */
  readonly maxBytes: number;
}

/** A page of events, oldest first, and what is needed to tell a complete replay from one with a gap. */
export interface EventPage {
  readonly events: readonly EventRow[];
  /** Whether there may be more after the last event of this page. With `afterSeq: undefined` always false. */
  readonly more: boolean;
  /** The session's newest number at the moment of the read. */
  readonly lastSeq: number;
  /**
   * The greatest number that was trimmed from what the query asks for: from its stream, or from the whole log; 0: none.
   * A backend that remembers the trims of a bounded number of streams answers for one that it forgot with the greatest number that it forgot.
   */
  readonly trimmedSeq: number;
  /** Stream of the event whose number is `afterSeq`; `undefined`: that event is not in the log. */
  readonly afterStreamId: string | undefined;
}

/** What to trim: the oldest events, as long as any one of the given bounds is exceeded by what remains. */
export interface TrimBound {
  /** Keep at most so many events, 0 or more. */
  readonly maxEvents: number | undefined;
  /** Keep at most so many bytes of messages, 0 or more. */
  readonly maxBytes: number | undefined;
  /** Drop what was created before this time. */
  readonly createdBefore: number | undefined;
  /** Drop what has this number or a smaller one. */
  readonly throughSeq: number | undefined;
  /** Remove at most so many events in this call, 1 or more. */
  readonly limit: number;
}

/** Where a session's log stands. */
export interface PolledHead {
  readonly lastSeq: number;
  readonly expiresAt: number;
}
