import { expect, inject, it } from 'vitest';
import { newDatabase } from './support/database.ts';
import { run, serve, temporaryFolder } from './support/processes.ts';

it('the demo succeeds with its sessions in PostgreSQL', async () => {
  const folder = temporaryFolder();
  const env = { DATABASE_URL: await newDatabase(), TMPDIR: folder, TMP: folder, TEMP: folder };
  const { ended, output } = run('demo.ts', ['--store', 'postgres'], { env });

  expect(await ended).toMatchObject({ exitCode: 0 });
  expect(output()).toMatch(/Got chapter \d+, which it had missed\n/);
  expect(output()).toMatch(/Nothing was lost, doubled or out of order\n\nThe demo succeeded\.\n$/);
});

it('takes the database by its URL, and says where the sessions are without the password', async () => {
  const database = await newDatabase();
  const { url, output } = await serve(['--store', 'postgres', '--data', database, '--port', '0']);

  expect((await fetch(url, { method: 'GET' })).status).toBeGreaterThanOrEqual(400);
  expect(output()).toContain('Sessions are in PostgreSQL, schema mcp_quickstart');
  expect(output()).not.toContain(new URL(database).password);
});

it('says so when the database cannot be reached', async () => {
  const database = new URL(inject('postgres').url);
  database.pathname = '/nowhere';
  const { ended, output } = run('main.ts', ['--store', 'postgres', '--data', database.href, '--port', '0']);

  expect(await ended).toMatchObject({ exitCode: 1 });
  expect(output()).toMatch(
    /^Session store has no database .*; create it first\nPostgreSQL database "nowhere" at .*\n$/,
  );
});
