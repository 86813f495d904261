import type { SessionBackend } from '@mcp-session/core/backend';
import { createPostgresBackend, type PostgresBackendOptions } from '@mcp-session/postgres';

/** Opens the schema of a test in a process of its own. */
export function openBackend(options: PostgresBackendOptions): Promise<SessionBackend> {
  return createPostgresBackend(options);
}
