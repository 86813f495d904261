import type { SessionStore } from '@mcp-session/core';
import { createPostgresStore } from '@mcp-session/postgres';
import { createSqliteStore } from '@mcp-session/sqlite';

/** Which server a process runs. */
export type HttpPlan = { readonly sdk: 'v1' | 'v2' } &
  /** `missed`: how many events each session has, in memory, that its client has not seen. */
  (
    | { readonly by: 'plain'; readonly missed?: number }
    | { readonly by: 'ours'; readonly backend: 'sqlite'; readonly path: string }
    | { readonly by: 'ours'; readonly backend: 'postgres'; readonly url: string; readonly schema: string }
  );

export function openStore(plan: Extract<HttpPlan, { readonly by: 'ours' }>): Promise<SessionStore> {
  return plan.backend === 'sqlite'
    ? createSqliteStore({ path: plan.path, sweep: false })
    : createPostgresStore({ url: plan.url, schema: plan.schema, sweep: false });
}
