import { kindOf } from '@mcp-session/core/backend';

/**
 * Checks what an option `principal` returned. Only `null` means anonymous: a number or an empty
 * string is a mistake, and every anonymous client would share the tasks.
 *
 * @throws TypeError
 */
export function checkPrincipal(principal: unknown, where: string): string | null {
  if (principal === null || (typeof principal === 'string' && principal !== '')) return principal;
  const given = principal === '' ? 'an empty string' : kindOf(principal);
  throw new TypeError(
    `Option principal of ${where} returned ${given}; return a string, such as String(user.id), or null for an anonymous request`,
  );
}
