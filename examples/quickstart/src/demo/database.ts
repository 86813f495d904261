import { openDatabase } from '@mcp-session-tooling/databases';

/**
 * The given PostgreSQL, or one that the demo starts and stops itself: a real server from npm, as in
 * the tests.
 *
 * @returns Its URL, and a function that stops it.
 */
export async function openPostgres(
  url: string | undefined,
): Promise<{ readonly url: string; readonly close: () => Promise<void> }> {
  const named = url ?? process.env['DATABASE_URL'];
  if (named !== undefined && named !== '') return { url: named, close: () => Promise.resolve() };
  // Does not search for other sources, so that the demo starts at once.
  const { MCP_SESSION_TEST_DATABASES = 'embedded' } = process.env;
  return openDatabase('postgres', { env: { ...process.env, MCP_SESSION_TEST_DATABASES } });
}
