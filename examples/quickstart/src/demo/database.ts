import { openDatabase } from '@mcp-session-tooling/databases';

/**
 * The PostgreSQL that was named, or else one of the demo's own, which ends with it: the server
 * itself, from npm, as the tests use it.
 *
 * @returns Its URL, and what ends it.
 */
export async function openPostgres(
  url: string | undefined,
): Promise<{ readonly url: string; readonly close: () => Promise<void> }> {
  const named = url ?? process.env['DATABASE_URL'];
  if (named !== undefined && named !== '') return { url: named, close: () => Promise.resolve() };
  // Without a look for others first: a demo is to begin at once.
  const { MCP_SESSION_TEST_DATABASES = 'embedded' } = process.env;
  return openDatabase('postgres', { env: { ...process.env, MCP_SESSION_TEST_DATABASES } });
}
