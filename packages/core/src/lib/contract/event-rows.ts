import type { SessionError } from '../errors.ts';

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
   * 22 random characters of base64url, new for each request. A request that is repeated because its
   * outcome was unknown keeps its token. If the token is already among the session's last 1,000
   * events (`REMEMBERED_TOKENS`), the call returns the first outcome and appends nothing.
   */
  readonly token: string;
  /** One or more. */
  readonly events: readonly NewEvent[];
  /**
   * Renews the session with the append, as `touchSession` does; `undefined` leaves its times alone.
   */
  readonly expiresAt: number | undefined;
}

/** The outcome of an {@link AppendRequest}. */
export interface AppendResult {
  /** Number of the request's first event. The others follow without a gap. */
  readonly firstSeq: number;
  /** Events in the session's log after the append. */
  readonly retainedEvents: number;
  /** Bytes of their messages. */
  readonly retainedBytes: number;
}

/**
 * The answer to one request of a call: `undefined` if its session is not live, an error if the
 * request failed by itself.
 */
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
  /** Only events of this stream; `undefined` reads the whole log. */
  readonly streamId: string | undefined;
  /**
   * Only events with a greater number; `undefined` reads the newest `limit` events instead of the
   * oldest. Either way the page is sorted oldest first.
   */
  readonly afterSeq: number | undefined;
  /** Maximum number of events of the page, 1 or more. */
  readonly limit: number;
  /** Maximum bytes of messages. The page holds at least one event if there is one. */
  readonly maxBytes: number;
}

/** A page of events, oldest first, and what tells a complete replay from one with a gap. */
export interface EventPage {
  readonly events: readonly EventRow[];
  /**
   * Whether there may be more after the last event of this page. Always false if `afterSeq` is
   * `undefined`.
   */
  readonly more: boolean;
  /** The session's newest number at the moment of the read. */
  readonly lastSeq: number;
  /**
   * The greatest number trimmed from what the query asks for, its stream or the whole log; 0 if
   * nothing was trimmed. A backend remembers the trims of a bounded number of streams. For a stream
   * that it has forgotten, it returns the greatest number that it has forgotten.
   */
  readonly trimmedSeq: number;
  /**
   * Stream of the event with the number `afterSeq`; `undefined` if the log does not hold that
   * event.
   */
  readonly afterStreamId: string | undefined;
}

/** What to trim: the oldest events, as long as what remains exceeds one of the given bounds. */
export interface TrimBound {
  /** Maximum number of events to keep, 0 or more. */
  readonly maxEvents: number | undefined;
  /** Maximum bytes of messages to keep, 0 or more. */
  readonly maxBytes: number | undefined;
  /** Remove events created before this time. */
  readonly createdBefore: number | undefined;
  /** Remove events with this number or a smaller one. */
  readonly throughSeq: number | undefined;
  /** Maximum number of events to remove in this call, 1 or more. */
  readonly limit: number;
}

/** The head of a session's log, as a poll reads it. */
export interface PolledHead {
  readonly lastSeq: number;
  readonly expiresAt: number;
}
