import { chmodSync } from 'node:fs';
import { createSqliteBackend } from '@mcp-session/sqlite';
import Database from 'better-sqlite3';
import { expect, it, onTestFinished } from 'vitest';
import { newFile } from './support/files.ts';

async function open(path: string) {
  const backend = await createSqliteBackend({ path });
  onTestFinished(() => backend.close());
  return backend;
}

it('a plan holds the statements of a migration and changes nothing', async () => {
  const path = await newFile();
  const backend = await open(path);

  const plan = (await backend.planMigration?.()) ?? [];
  expect(plan.join('\n')).toContain('create table if not exists "mcp_sessions"');
  expect(await backend.planMigration?.()).toEqual(plan);
  await backend.migrate();

  expect(await backend.planMigration?.()).toEqual([]);
});

it('a diagnosis of a store that is well has nothing to do', async () => {
  const backend = await open(await newFile());
  await backend.migrate();

  const found = (await backend.diagnose?.(Date.now)) ?? [];

  expect(found.map(({ check }) => check)).toEqual(['schema', 'versions', 'rights', 'log', 'indexes']);
  expect(found.filter(({ status }) => status !== 'ok')).toEqual([]);
  expect(found[1]?.found).toMatch(/^better-sqlite3 \d+\.\d+\.\d+, SQLite 3\.\d+/);
});

it('a diagnosis finds a missing schema, a file that others can read, and a missing index', async () => {
  const path = await newFile();
  const backend = await open(path);
  expect((await backend.diagnose?.(Date.now))?.[0]).toMatchObject({
    check: 'schema',
    status: 'failure',
    remedy: 'run mcp-session migrate',
  });
  await backend.migrate();
  chmodSync(path, 0o644);
  const other = new Database(path);
  other.exec('drop index mcp_sessions_by_kind');
  other.close();

  const found = (await backend.diagnose?.(Date.now)) ?? [];

  expect(found.filter(({ status }) => status !== 'ok')).toMatchObject([
    { check: 'rights', status: 'warning', found: 'file mode is 0644, so others can read sessions' },
    { check: 'indexes', status: 'warning', found: 'missing: mcp_sessions_by_kind' },
  ]);
});
