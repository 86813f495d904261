import { wrongKind } from '../values/option-checks.ts';

/** @throws TypeError if the value is no session store. */
export function checkStore(store: unknown, of: string): void {
  const { ofKind } = (store ?? {}) as { readonly ofKind?: unknown };
  if (typeof ofKind !== 'function') throw wrongKind(`Store of ${of} is`, store, 'a session store');
}

/**
 * Checks a session that is used by a method that is not public, as core's own sessions have it.
 *
 * @throws TypeError for an object that no store has made.
 */
export function checkMade<Handle>(session: unknown, method: keyof Handle & string): Handle {
  const handle = (session ?? {}) as Readonly<Record<string, unknown>>;
  if (typeof handle[method] === 'function') return session as Handle;
  throw wrongKind('Session is', session, 'a session of a store of @mcp-session/core');
}
