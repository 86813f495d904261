import type { AnySchemas } from '../values/standard-schema.ts';
import type { SessionState } from './session-state.ts';

/**
 * The record of one user: a state that all sessions and all requests of a principal share, in every
 * revision of the protocol and in every process.
 *
 * The record begins with its first write. Until then reads find nothing, and store nothing. When it
 * has expired or was ended, it is empty, and the next write begins it anew. So its state never
 * throws `SESSION_NOT_FOUND`.
 */
export interface UserRecord<S = AnySchemas> {
  readonly principal: string;
  /**
   * JSON values by key, as in a session. The first use costs one read more, which finds the record.
   */
  readonly state: SessionState<S>;

  /**
   * Removes the record with all that it holds, for every process at once.
   *
   * @returns `true` for exactly one caller; `false` if there is no record.
   */
  end(): Promise<boolean>;
}
