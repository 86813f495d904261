import type { SessionStore } from '@mcp-session/core';
import { kindOf } from '@mcp-session/core/backend';

/** @throws TypeError if the value is no store, such as the promise of one. */
export function checkStore(store: unknown): asserts store is SessionStore {
  const kind = kindOf(store);
  if (kind === 'a promise') throw new TypeError('Option store is a promise; await the store first');
  const { create, get } = (store ?? {}) as { readonly create?: unknown; readonly get?: unknown };
  if (typeof create !== 'function' || typeof get !== 'function') {
    throw new TypeError(`Option store is ${kind}, not a session store, such as createMemoryStore gives`);
  }
}
