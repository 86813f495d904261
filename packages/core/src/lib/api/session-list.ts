import type { SessionCounts } from '../contract/rows.ts';
import type { Session } from './session.ts';

/** A session that a listing has found. */
export interface ListedSession<S> extends Session<S> {
  /** How much the session held when the listing read it. Costs nothing besides the listing. */
  readonly counts: SessionCounts;
}

/**
 * A page of sessions in the byte order of their ids, which is the order of creation for generated
 * ids.
 */
export interface SessionList<S> {
  /** May be shorter than the limit, even empty, before the last page. */
  readonly sessions: readonly ListedSession<S>[];
  /** `undefined` on the last page. */
  readonly nextCursor: string | undefined;
}
