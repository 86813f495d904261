import { createTestDatabase } from '@mcp-session-tooling/databases';
import { inject, onTestFinished } from 'vitest';

/** A database of the test's own, gone after it. */
export async function newDatabase(): Promise<string> {
  const { url, dispose } = await createTestDatabase(inject('postgres').url);
  onTestFinished(dispose);
  return url;
}
