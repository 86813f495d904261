import type { SessionStore } from '@mcp-session/core';
import { createPostgresStore } from '@mcp-session/postgres';
import { createSqliteStore } from '@mcp-session/sqlite';

/** Where the nodes of a chaos test have their sessions. */
export type StoreAddress =
  | { readonly kind: 'sqlite'; readonly path: string }
  | { readonly kind: 'postgres'; readonly url: string; readonly schema: string };

export function openStore(address: StoreAddress): Promise<SessionStore> {
  if (address.kind === 'sqlite') return createSqliteStore({ path: address.path, synchronous: 'normal' });
  return createPostgresStore({ url: address.url, schema: address.schema });
}
