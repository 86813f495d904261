import type { Session } from './session.ts';

/**
 * A page of sessions in the byte order of their ids, which is the order of creation for generated
 * ids.
 */
export interface SessionList<S> {
  /** May be shorter than the limit, even empty, before the last page. */
  readonly sessions: readonly Session<S>[];
  /** `undefined` on the last page. */
  readonly nextCursor: string | undefined;
}
