import type { SessionStore } from '@mcp-session/core';
import { checkOptions, kindOf, type OptionNames, whole } from '@mcp-session/core/backend';
import type { CloseOptions, FetchOptions } from './handler.ts';

// Node fires a timer with a longer delay at once.
export const MAX_TIMER_MS: number = 2 ** 31 - 1;

const CLOSE: OptionNames<CloseOptions> = { drainMs: ['drain', 'timeout', 'timeoutMs', 'graceMs'] };

/** Names under which people look for `authInfo` and `parsedBody`. */
const MISTAKEN = new Map([
  ...['auth', 'authinfo', 'authInformation', 'token', 'user', 'principal'].map((name) => [name, 'authInfo'] as const),
  ...['body', 'parsedbody', 'parsed'].map((name) => [name, 'parsedBody'] as const),
]);

/**
 * The options of a request. Platforms call an exported `handler.fetch` with what they have as the second argument, such as the `params` of Next.js, so that a name
 * that is not known is refused only where it looks like one of ours: without `authInfo` a request is nobody's.
 *
 * @throws TypeError
 */
export function fetchOptionsOf<AuthInfo>(options: FetchOptions<AuthInfo> | null): FetchOptions<AuthInfo> {
  if (options === null) return {};
  if (typeof options !== 'object')
    throw new TypeError(`Options of fetch are ${kindOf(options)}, not an object such as { authInfo }`);
  for (const name of Object.keys(options)) {
    const meant = MISTAKEN.get(name);
    if (meant !== undefined) throw new TypeError(`Unknown option ${name} of fetch; did you mean ${meant}?`);
  }
  return options;
}

/** @throws TypeError or RangeError that names the option. */
export function drainMsOf(options: CloseOptions): number {
  checkOptions(options, CLOSE, 'close');
  return whole('drainMs', options.drainMs, 0, 0, MAX_TIMER_MS);
}

/** @throws TypeError where it is no store, in particular the promise of one. */
export function checkStore(store: unknown): asserts store is SessionStore {
  const kind = kindOf(store);
  if (kind === 'a promise') throw new TypeError('Option store is a promise; await the store first');
  const { create, get } = (store ?? {}) as { readonly create?: unknown; readonly get?: unknown };
  if (typeof create !== 'function' || typeof get !== 'function')
    throw new TypeError(`Option store is ${kind}, not a session store, such as createMemoryStore gives`);
}

/** What an adapter stands in front of. @throws TypeError */
export function checkHandler(handler: unknown): void {
  const { fetch } = (handler ?? {}) as { readonly fetch?: unknown };
  if (typeof fetch !== 'function')
    throw new TypeError(`Handler is ${kindOf(handler)}, not what createSessionHandler or createDualEraHandler gives`);
}
