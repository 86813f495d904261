import type { EndSessionOptions } from '../options/session-options.ts';
import type { Metadata, ProtocolFacts } from '../values/facts.ts';
import type { AnySchemas } from '../values/standard-schema.ts';
import type { SessionEvents } from './session-events.ts';
import type { SessionState } from './session-state.ts';

/**
 * A durable record of one principal, with a state and a log.
 *
 * An object of this type is a handle. Any number of handles, in any process, may stand for the same
 * session. Times and facts are those that the handle last read or wrote; state and events are
 * always read from the store.
 *
 * `console.log` and `JSON.stringify` show its times, its owner, its client and the first part of
 * its id. They show no state, no message, no value of the metadata, and not the whole id, which
 * lets anyone use a session without a principal.
 */
export interface Session<S = AnySchemas> {
  readonly id: string;
  readonly kind: string;
  /** The owner of the session; `null` means that anyone who knows the id may use it. */
  readonly principal: string | null;
  /** Unix milliseconds. */
  readonly createdAt: number;
  /** Number of the newest event of the log when this handle was made; 0 if there was none. */
  readonly lastSeq: number;
  readonly state: SessionState<S>;
  readonly events: SessionEvents;
  /** When the session was last used, in Unix milliseconds, as far as this handle knows. */
  readonly lastActiveAt: number;
  /**
   * When the session expires unless it is used again, in Unix milliseconds, as far as this handle
   * knows.
   */
  readonly expiresAt: number;
  /** Facts for the application, as this handle last saw them. */
  readonly metadata: Metadata;
  /** Facts of the protocol, as this handle last saw them. */
  readonly protocol: ProtocolFacts;

  /**
   * Replaces the metadata with the result of `change`, atomically. `change` may be called again
   * with newer metadata. It must be synchronous.
   *
   * @throws TypeError if `change` is no function, or returns a promise or no plain object.
   * @throws SessionError `SESSION_NOT_FOUND`, `NOT_JSON`, `PROFILE_TOO_LARGE`, or
   * `PROFILE_CONFLICT` after 50 lost attempts.
   */
  updateMetadata(change: (current: Metadata) => Metadata): Promise<Metadata>;

  /**
   * Renews the session. Writes only if the last renewal that this handle knows of is
   * `touchIntervalMs` ago.
   *
   * @throws SessionError `SESSION_NOT_FOUND` if the write finds that the session has expired or was
   * ended.
   */
  touch(): Promise<void>;

  /**
   * Ends the session for every process at once. Its state and events are gone. Its id stays taken
   * for `tombstoneMs`, unless `keepId` is false.
   *
   * @returns `true` for exactly one caller; `false` if the session has already ended or expired.
   */
  end(options?: EndSessionOptions): Promise<boolean>;
}
