import { once } from 'node:events';
import { join } from 'node:path';
import type { SessionStore } from '@mcp-session/core';
import { createDynamoDbStore } from '@mcp-session/dynamodb';
import { createPostgresStore } from '@mcp-session/postgres';
import { createTestDatabase, createTestTables } from '@mcp-session-tooling/databases';
import postgres from 'postgres';
import { expect, inject, it, onTestFinished } from 'vitest';
import { codeWith, folderWith, withReplaced } from './support/pasted.ts';
import { freePort, start, untilItListens } from './support/server.ts';

// The programs of the packages' READMEs, in processes of their own.

const LIMIT_MS = 60_000;

/** Runs a program to its end, which must be a good one. */
async function runToEnd(code: string, env: Readonly<Record<string, string>> = {}): Promise<void> {
  const folder = folderWith({ 'program.ts': code });
  expect(await once(start(join(folder, 'program.ts'), folder, env), 'exit')).toEqual([0, null]);
}

/** The session that the first program of a backend's README leaves, as another process finds it. */
async function expectLeft(store: SessionStore): Promise<void> {
  const { sessions } = await store.list({ principal: 'https://id.example|alice' });
  expect(sessions).toHaveLength(1);
  expect(await sessions[0]?.state.get('visits')).toBe(1);
  expect(await sessions[0]?.events.recent(10)).toMatchObject([{ streamId: 'progress', message: { percent: 50 } }]);
  await store.close();
}

it('the programs of the README of postgres run, and keep what they stored', { timeout: LIMIT_MS }, async () => {
  const { url, dispose } = await createTestDatabase(inject('postgres').url);
  onTestFinished(() => dispose());
  const page = 'packages/postgres/README.md';
  const address = { 'postgres://app:secret@database.example/app': url };

  await runToEnd(withReplaced(codeWith(page, 'store.get(id'), address));
  await expectLeft(await createPostgresStore({ url, schema: 'mcp', sweep: false }));
  // The databases of the tests speak no TLS.
  await runToEnd(withReplaced(codeWith(page, "from 'postgres'"), { ...address, ", ssl: 'require'": '' }));
  const sql = postgres(url, { max: 1 });
  onTestFinished(() => sql.end());
  expect(await sql`select schemaname as schema from pg_tables where tablename = 'mcp_sessions'`).toEqual([
    { schema: 'mcp' },
  ]);
});

it('the program of the README of dynamodb runs, and keeps what it stored', { timeout: LIMIT_MS }, async () => {
  const { url } = inject('dynamodb');
  const { prefix, config, dispose } = createTestTables(url);
  onTestFinished(() => dispose());
  const tables = { sessionsTable: `${prefix}sessions`, eventsTable: `${prefix}events` };
  const place = { ...tables, endpoint: config.endpoint, region: config.region };
  const env = {
    AWS_ACCESS_KEY_ID: config.credentials.accessKeyId,
    AWS_SECRET_ACCESS_KEY: config.credentials.secretAccessKey,
    AWS_REGION: config.region,
    AWS_ENDPOINT_URL_DYNAMODB: config.endpoint,
  };
  Object.assign(process.env, env);
  // The tables come from the infrastructure, as the README says.
  await (await createDynamoDbStore({ ...place, autoCreateTables: true, sweep: false })).close();

  const code = codeWith('packages/dynamodb/README.md', 'store.get(id');
  // The database of the tests is shared, and so are the default names.
  await runToEnd(
    withReplaced(code, { 'createDynamoDbStore()': `createDynamoDbStore(${JSON.stringify(tables)})` }),
    env,
  );
  await expectLeft(await createDynamoDbStore({ ...place, sweep: false }));
});

it('the studio of the README is there for operators alone, below its path', { timeout: LIMIT_MS }, async () => {
  const port = await freePort();
  const PRESUPPOSED = `
    import { createMemoryStore } from '@mcp-session/core/memory';
    const store = await createMemoryStore();
    await store.create({ principal: 'ada' });
    const isOperator = async (request: Request): Promise<boolean> => request.headers.get('cookie') === 'operator=1';
  `;
  const code = withReplaced(codeWith('packages/studio/README.md', 'createStudio'), { 3000: String(port) });
  const folder = folderWith({ 'studio.ts': `${PRESUPPOSED}${code}` });
  start(join(folder, 'studio.ts'), folder);
  const url = `http://127.0.0.1:${port}/studio/`;
  await untilItListens(port);

  const as = (cookie: string) => ({ headers: { cookie, 'content-type': 'application/json' } });
  const post = (path: string, cookie: string) =>
    fetch(new URL(path, url), { method: 'POST', body: JSON.stringify({ kind: 'session' }), ...as(cookie) });
  const page = await fetch(url, as('operator=1'));
  expect(page.status).toBe(200);
  const [, script = ''] = /<script[^>]* src="([^"]+)"/.exec(await page.text()) ?? [];
  expect((await fetch(new URL(script, page.url), as('operator=1'))).headers.get('content-type')).toMatch(/javascript/);
  const listed = await post('api/sessions', 'operator=1');
  expect(await listed.text()).toContain('"ada"');
  expect((await fetch(url, as('operator=0'))).status).toBe(403);
  expect((await post('api/sessions', 'operator=0')).status).toBe(403);
});
