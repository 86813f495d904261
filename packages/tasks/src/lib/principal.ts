import { kindOf } from '@mcp-session/core/backend';

/** A request whose principal an option `principal` has returned. */
export interface Asked {
  /** That of the request; `undefined` if nobody has verified it. */
  readonly authInfo: unknown;
  /** The function that has the option. */
  readonly where: string;
}

/**
 * Checks what an option `principal` returned. Only `null` means anonymous, and only for a request
 * without `authInfo`: a number or an empty string is a mistake, as is a token without a user, and
 * every anonymous client would share the tasks.
 *
 * @throws TypeError
 */
export function checkPrincipal(principal: unknown, { authInfo, where }: Asked): string | null {
  if (typeof principal === 'string' && principal !== '') return principal;
  if (principal === null && authInfo === undefined) return null;
  if (principal === null) {
    throw new TypeError(
      `Option principal of ${where} returned null for a request with authInfo; return the user of its token`,
    );
  }
  const given = principal === '' ? 'an empty string' : kindOf(principal);
  throw new TypeError(
    `Option principal of ${where} returned ${given}; return a string, such as String(user.id), or null for an anonymous request`,
  );
}
