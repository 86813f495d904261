import type { ProtocolFacts } from '../values/facts.ts';
import type { JsonValue } from '../values/json.ts';
import { checkMade } from './check-given.ts';

/** What a transport keeps with a session, so that any node can serve it. */
export interface TransportFacts {
  readonly protocol: ProtocolFacts;
  /**
   * The transport's own record. The application neither sees nor changes it. Default: `undefined`,
   * no record.
   */
  readonly record?: JsonValue | undefined;
  /**
   * How long the session lives after its last use, in milliseconds; `undefined`: as long as the
   * store says. A change that leaves it out keeps it.
   */
  readonly ttlMs?: number | undefined;
}

/** A session as a transport uses it. */
export interface TransportSession {
  /** The facts as this handle last saw them. */
  readonly transport: TransportFacts;

  /**
   * Replaces the facts with the result of `change`, atomically. `change` may be called again with
   * newer facts. A fact that becomes `undefined` is removed.
   *
   * A change of the record alone writes the record alone, and meets no conflict with changes of
   * `protocol` or of `session.metadata`. Keep what changes often in the record.
   *
   * @throws SessionError `SESSION_NOT_FOUND`, `NOT_JSON`, `PROFILE_TOO_LARGE`, or
   * `PROFILE_CONFLICT` after 50 lost attempts.
   */
  updateTransport(change: (current: TransportFacts) => TransportFacts): Promise<TransportFacts>;
}

/**
 * The `ttlMs` that a store was opened with; `undefined` if its option was left out, or if the
 * object is no store of this package. For transports whose sessions have another default.
 */
export function givenTtlOf(store: object): number | undefined {
  const { givenTtlMs } = store as { readonly givenTtlMs?: unknown };
  return typeof givenTtlMs === 'number' ? givenTtlMs : undefined;
}

/**
 * Gives access to what a transport keeps with a session. For authors of transports: an application
 * reads `session.protocol`, and keeps its own facts in `session.metadata`.
 *
 * @throws TypeError for an object that no store has made.
 */
export function transportOf(session: { readonly protocol: ProtocolFacts }): TransportSession {
  return checkMade<TransportSession>(session, 'updateTransport');
}
