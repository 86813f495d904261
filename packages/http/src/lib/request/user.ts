import type { SessionStore, StateSchemas, UserRecord, UserRecordOptions } from '@mcp-session/core';
import { checkOptions, userRecordOptions } from '@mcp-session/core/backend';

/** Who is served, and the user's own record. */
export interface UserContext<U extends StateSchemas = StateSchemas> {
  /** The principal, as the option `principal` says; `null` for an anonymous client. */
  readonly principal: string | null;
  /**
   * The record of the principal, which all sessions and requests of the user share, in every
   * revision of the protocol. Makes no call to the store until its state is used. `undefined` for
   * an anonymous client.
   */
  readonly user: UserRecord<U> | undefined;
}

/** Opens the record of a principal, without a call to the store. */
export function userContext<U extends StateSchemas>(
  store: Pick<SessionStore, 'forPrincipal'>,
  principal: string | null,
  options: UserRecordOptions<U> | undefined,
): UserContext<U> {
  return { principal, user: principal === null ? undefined : store.forPrincipal<U>(principal, options) };
}

/** @throws TypeError or RangeError for an option. */
export function checkUserOptions(
  store: Pick<SessionStore, 'forPrincipal'>,
  options: UserRecordOptions | undefined,
): void {
  if (options === undefined) return;
  checkOptions(options, userRecordOptions, 'user');
  // The store checks the values where it opens a record.
  store.forPrincipal('nobody', options);
}
