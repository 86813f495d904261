import type { SessionBackend } from '@mcp-session/core/backend';
import { createSqliteBackend } from '@mcp-session/sqlite';

/** Opens the file of a test in a process of its own. */
export function openBackend(path: string): Promise<SessionBackend> {
  return createSqliteBackend({ path });
}
