import type { Journal } from '../reports/journal.ts';
import type { StoreHealth } from '../store/health.ts';
import type { Bounds } from './bounds.ts';
import type { FollowOptions } from './follow.ts';
import type { RetryOptions } from './retry.ts';
import type { StreamReader } from './stream-reader.ts';

/** A connection to open. */
export interface OpenOptions extends FollowOptions {
  readonly streamId: string;
  /**
   * Reads the stream. The connection closes it. `undefined`: the stream is not stored, and its
   * messages are pushed.
   */
  readonly reader: StreamReader | undefined;
  /** The first frames. */
  readonly opening: string;
  /**
   * A new connection replaces the one in the same place. Default: the stream's id, so that each
   * message goes to one connection.
   */
  readonly place?: string;
  /**
   * When the client's token expires, in Unix seconds. The connection ends then, and does not renew
   * the session afterwards. Default: never.
   */
  readonly expiresAt?: number | undefined;
  /**
   * Whether the connection stays open when the token expires and after `maxStreamMs`: its client
   * could not come back. Default: `false`.
   */
  readonly staysOpen?: boolean;
  /**
   * The client's request. If it is aborted, the connection is closed; the work behind it continues.
   */
  readonly request: Request;
  /**
   * How many events of the session came after the one that the client resumes from. Default: the
   * client does not resume.
   */
  readonly resumedBehind?: number | undefined;
  /** Is called with the id of each stored event that was written to the connection. */
  readonly onSent?: ((wireId: string) => void) | undefined;
  /** Is called with each keep-alive comment. */
  readonly onIdle?: (() => void) | undefined;
  /**
   * Is called once, when the connection is closed.
   *
   * @param isBroken Whether its client took nothing any more, see
   * `challenge`.
   */
  readonly onClosed?: ((isBroken: boolean) => void) | undefined;
}

export interface OpenedConnection {
  readonly response: Response;
  /** Is aborted when the connection is closed by either side. */
  readonly over: AbortSignal;
}

export interface ConnectionsContext extends RetryOptions {
  readonly health: StoreHealth;
  readonly bounds: Bounds;
  readonly keepAliveMs: number;
  readonly maxStreamMs: number;
  readonly onError: (error: unknown) => void;
  readonly journal: Journal;
}

/** What the connections of a session call. */
export interface ConnectionsEvents {
  /** A keep-alive comment is sent on one of them. */
  readonly onIdle: () => void;
  /** One of them is closed. */
  readonly onClosed: (streamId: string) => void;
  /** A reader of the log found that the session has ended or expired. */
  readonly onSessionEnded: () => void;
}
