/**
 * A session as a backend stores it.
 *
 * Times are Unix milliseconds, whole numbers, and always come from the caller. Texts that core
 * wrote (`profile`, `record`, values, messages) are opaque to a backend and come back unchanged.
 */
export interface SessionRow {
  /**
   * 1 to 255 visible ASCII characters (0x21 to 0x7E), compared byte by byte. Nothing is folded or
   * trimmed.
   */
  readonly id: string;
  /** What the session is used for; `session` unless its creator said otherwise. */
  readonly kind: string;
  /** The owner of the session; `null` means that anyone who knows the id may use it. */
  readonly principal: string | null;
  /** Core's own JSON text about the session. Opaque. */
  readonly profile: string;
  /** Version of `profile`: 1 at creation, 1 more after each change of it. */
  readonly version: number;
  /**
   * JSON text of the transport that serves the session; empty until the first one is written.
   * Opaque.
   */
  readonly record: string;
  /** Version of `record`: 0 at creation, 1 more after each change of it. */
  readonly recordVersion: number;
  readonly createdAt: number;
  /** The latest activity that was written. Reads in between do not show here. */
  readonly touchedAt: number;
  /** The session is live while `expiresAt` is greater than now. */
  readonly expiresAt: number;
  /** Number of the newest event; 0 if none was ever appended. Never goes back. */
  readonly lastSeq: number;
}

/**
 * A session to create. `createdAt` and `touchedAt` become the call's `now`, `version` 1, `record`
 * empty, `recordVersion` and `lastSeq` 0.
 */
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
  /**
   * Only a session of this principal is found, or one without a principal, which belongs to anyone
   * who knows its id. `null` finds only those without one.
   */
  readonly principal: string | null;
}

/** A new profile or record. */
export interface TextChange {
  readonly text: string;
  /** The change is made only if the profile, or the record, has this version. */
  readonly expectedVersion: number;
}

/** A change of a session's profile, of its record, or of both. */
export interface SessionChange {
  /** `undefined` leaves the profile alone, and its version is not compared. */
  readonly profile: TextChange | undefined;
  /** `undefined` leaves the record alone, and its version is not compared. */
  readonly record: TextChange | undefined;
  /**
   * Renews the session with the change, as `touchSession` does; `undefined` leaves its times alone.
   */
  readonly expiresAt: number | undefined;
}

/**
 * The outcome of a {@link SessionChange}. A `conflict` carries the present row; nothing was
 * changed.
 */
export type ChangeResult =
  | { readonly status: 'updated' }
  | { readonly status: 'conflict'; readonly current: SessionRow };

/** Which sessions to list or count: live ones of one kind. */
export interface SessionQuery {
  readonly kind: string;
  /** `undefined` finds the sessions of anyone, `null` only those without a principal. */
  readonly principal: string | null | undefined;
}

/** One page of a listing, in the byte order of the ids. */
export interface SessionPageQuery extends SessionQuery {
  /**
   * Only ids greater than this one, byte by byte; `undefined` starts at the first id. A session
   * with this id need not exist any more.
   */
  readonly afterId: string | undefined;
  /** Maximum number of rows of the page, 1 or more. */
  readonly limit: number;
}

/** How much a session holds. */
export interface SessionCounts {
  /** Events in its log. Trimmed ones do not count. */
  readonly events: number;
  /** Keys of its state. */
  readonly stateKeys: number;
}

/** A session in a listing. */
export interface ListedRow extends SessionRow {
  /** As of the moment when the row was read. Kept with the row, so that it costs no other read. */
  readonly counts: SessionCounts;
}

/** A page of sessions. */
export interface SessionPage {
  readonly rows: readonly ListedRow[];
  /**
   * Whether there may be more after the last row. A short or empty page may still have more after
   * it.
   */
  readonly more: boolean;
  /** Where the next page starts, as `afterId`; `undefined` if `more` is false. */
  readonly nextAfterId: string | undefined;
}

/** What one step of a sweep did. */
export interface SweepResult {
  /** Ids whose record this step removed: expired sessions, and tombstones past their time. */
  readonly ids: readonly string[];
  /** Whether nothing was left to remove. */
  readonly done: boolean;
}
