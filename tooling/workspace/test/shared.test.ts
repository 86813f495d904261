import { existsSync } from 'node:fs';
import { afterEach, expect, it, vi } from 'vitest';
import { compileCache, databases, type End } from '../src/shared.ts';

afterEach(() => {
  vi.unstubAllEnvs();
});

it('a database that cannot be shared is a failed step that says why', async () => {
  vi.stubEnv('MCP_SESSION_TEST_DATABASES', undefined);
  // Port 1: nothing listens there.
  vi.stubEnv('MCP_SESSION_TEST_POSTGRES_URL', 'postgres://127.0.0.1:1/postgres');
  const ends: End[] = [];
  const result = await databases(ends)[0]?.run(false);

  expect(result).toMatchObject({ name: 'postgres', passed: 0, failed: 1, failures: ['postgres'] });
  expect(result?.output).toContain('MCP_SESSION_TEST_POSTGRES_URL names 127.0.0.1:1, which does not answer');
  expect(ends).toEqual([]);
});

it('the folder of what Node has compiled is gone after the run', async () => {
  vi.stubEnv('NODE_COMPILE_CACHE', undefined);
  const end = compileCache();
  const folder = process.env['NODE_COMPILE_CACHE'] ?? '';

  expect(existsSync(folder)).toBe(true);
  await end();
  expect(existsSync(folder)).toBe(false);
});
