import { expect, it } from 'vitest';
import { append, connect, createSession, newBackend, newRole, newSchema, openBackend } from './support/schemas.ts';

it('a plan is the script of the migration, and changes nothing', async () => {
  const { url, schema } = await newSchema();
  const backend = await openBackend({ url, schema, notifications: 'off' });

  const plan = (await backend.planMigration?.()) ?? [];
  expect(plan.join('\n')).toContain('create table');
  expect(await backend.planMigration?.()).toEqual(plan);
  // What is printed can be run by hand, each statement by itself.
  const sql = connect(url, { max: 1 });
  await sql`begin`;
  for (const statement of plan) await sql.unsafe(statement);
  await sql`commit`;

  expect(await backend.planMigration?.()).toEqual([]);
  await createSession(backend);
});

it('a diagnosis of a store that is well has nothing to do', async () => {
  const { backend } = await newBackend();

  const found = (await backend.diagnose?.(Date.now)) ?? [];

  const checks = ['schema', 'versions', 'clock', 'notifications', 'rights', 'indexes'];
  expect(found.map(({ check }) => check)).toEqual(checks);
  expect(found.filter(({ status }) => status !== 'ok')).toEqual([]);
});

it('a diagnosis finds missing tables, a missing index and missing rights', async () => {
  const empty = await newSchema();
  const unmigrated = await openBackend({ url: empty.url, schema: empty.schema, notifications: 'off' });
  expect((await unmigrated.diagnose?.(Date.now))?.[0]).toMatchObject({ check: 'schema', status: 'failure' });

  const { sql, schema } = await newBackend({ notifications: 'off' });
  await sql`drop index mcp_sessions_by_kind`;
  const { role, url } = await newRole();
  await sql`grant usage on schema ${sql(schema)} to ${sql(role)}`;
  await sql`grant select on all tables in schema ${sql(schema)} to ${sql(role)}`;
  const reader = await openBackend({ url, schema, notifications: 'off' });

  const found = (await reader.diagnose?.(Date.now)) ?? [];

  expect(found.filter(({ status }) => status !== 'ok')).toMatchObject([
    { check: 'rights', status: 'failure' },
    { check: 'indexes', status: 'warning', found: 'missing or invalid: mcp_sessions_by_kind' },
  ]);
});

it('psql reads sessions, state and events in views, with keys as text', async () => {
  const { backend, sql } = await newBackend({ notifications: 'off' });
  await createSession(backend);
  await append(backend, 'token', ['s', 't']);
  const writes = ['theme', 'a\0b', 'ключ'].map((key) => ({ key, value: '1', bytes: 1, expectedVersion: undefined }));
  const limits = { maxKeys: 10, maxBytes: 100 };
  await backend.commitState({ sessionId: 'a', writes, limits, expiresAt: undefined }, 1);

  expect(await sql`select key, value from mcp_readable_state where session_id = 'a' order by key collate "C"`).toEqual([
    { key: 'a\\000b', value: '1' },
    { key: 'theme', value: '1' },
    { key: 'ключ', value: '1' },
  ]);
  expect(await sql`select seq, stream_id, created_at from mcp_readable_events order by seq`).toEqual([
    { seq: '1', stream_id: 's', created_at: new Date(1) },
    { seq: '2', stream_id: 't', created_at: new Date(1) },
  ]);
  expect(await sql`select id, is_live, events, state_keys from mcp_readable_sessions`).toEqual([
    // The test's clock says 1970, and the view asks the server's.
    { id: 'a', is_live: false, events: '2', state_keys: '3' },
  ]);
});
