import { transportOf } from '@mcp-session/core/transport';
import type { Sql } from 'postgres';
import { expect, it } from 'vitest';
import { append, createSession, FAR, newBackend, openBackend, openStore } from './support/schemas.ts';

const DAY_MS = 86_400_000;

/** Takes a schema back to what the first version made. */
async function downgrade(sql: Sql): Promise<void> {
  await sql`drop table mcp_secrets, mcp_tasks`;
  await sql`alter table mcp_sessions drop column record, drop column record_version`;
  await sql`delete from mcp_migrations where name <> '0001-initial'`;
}

/**
 * What sweeps of that version left: rows of sessions that are gone, between those of sessions that
 * are not.
 */
async function leaveBehind(sql: Sql, count: number): Promise<void> {
  const gone = `select pk + 1000000 as pk from mcp_sessions union select 1000000 - k from generate_series(1, ${count}) k`;
  await sql.unsafe(`insert into mcp_events (session_pk, seq, created_at, bytes, stream_id, message)
    select pk, k, 1, 1, 's', 'secret' from (${gone}) gone, generate_series(1, 30) k`);
  await sql.unsafe(
    `insert into mcp_tokens (session_pk, first_seq, last_seq, token) select pk, 1, 1, 'token' from (${gone}) gone`,
  );
  await sql.unsafe(
    `insert into mcp_state (session_pk, version, bytes, key, value) select pk, 1, 1, 'k', 'secret' from (${gone}) gone`,
  );
  await sql.unsafe(`insert into mcp_trims (session_pk, trimmed_seq, stream_id) select pk, 1, 's' from (${gone}) gone`);
}

/** How many rows of sessions that are not there the tables hold. */
async function left(sql: Sql): Promise<number> {
  let sum = 0;
  for (const table of ['events', 'state', 'tokens', 'trims']) {
    const [row] = await sql.unsafe<{ count: number }[]>(
      `select count(*)::int4 as count from mcp_${table} where session_pk not in (select pk from mcp_sessions)`,
    );
    sum += row?.count ?? 0;
  }
  return sum;
}

it('leftovers of older versions are removed in steps, and live sessions stay', { timeout: 60_000 }, async () => {
  const { backend, sql, url, schema } = await newBackend({ notifications: 'off' });
  for (let n = 0; n < 50; n++) {
    await createSession(backend, `session-${n}`);
    await append(backend, 'token', ['s', 's'], `session-${n}`);
  }
  await downgrade(sql);
  await leaveBehind(sql, 40);
  const before = await left(sql);
  expect(before).toBe(90 * 33);

  const nodes = [backend, await openBackend({ url, schema, notifications: 'off' })];
  await Promise.all(nodes.map((node) => node.migrate()));
  // One step is bounded.
  await backend.sweep(20, 1);
  expect(before - (await left(sql))).toBeLessThanOrEqual(20);
  for (let all = false; !all;) {
    const steps = await Promise.all(nodes.map((node) => node.sweep(20, 1)));
    expect(steps.flatMap(({ ids }) => ids)).toEqual([]);
    all = steps.every(({ done }) => done);
  }
  while (!(await backend.sweep(20, 1)).done);
  expect(await left(sql)).toBe(0);
  expect(await sql`select count(*)::int4 as count from mcp_events`).toEqual([{ count: 100 }]);

  // Nodes of the version before may have gone on for a while: it is done once more a day later, and
  // then no more.
  await leaveBehind(sql, 5);
  expect(await backend.sweep(20, DAY_MS)).toEqual({ ids: [], done: true });
  expect(await left(sql)).toBe(55 * 33);
  while (!(await backend.sweep(20, 1 + DAY_MS)).done);
  expect(await left(sql)).toBe(0);
  expect(await sql`select from mcp_tasks`).toHaveLength(0);
  expect(await backend.readHeads(['session-49'], 1)).toEqual(new Map([['session-49', { lastSeq: 2, expiresAt: FAR }]]));
});

it('old tombstones lose their principals, and live sessions keep theirs', async () => {
  const { backend, sql } = await newBackend({ notifications: 'off' });
  await sql.unsafe(`
    insert into mcp_sessions (id, kind, principal, created_at, touched_at, expires_at, sweep_at, ended_at, purge_at, profile)
    select 'session-' || n, 'session', 'me', 1, 1, case when n % 3 = 0 then ${FAR} else 0 end, ${FAR},
      case when n % 3 <> 0 then 1 end, case when n % 3 <> 0 then ${FAR} end, ''
    from generate_series(1, 90) n`);
  await downgrade(sql);
  await backend.migrate();
  while (!(await backend.sweep(7, 1)).done);
  const owned =
    await sql`select count(*)::int4 as count, ended_at is null as live from mcp_sessions where principal is not null group by 2`;
  expect(owned).toEqual([{ count: 30, live: true }]);
});

it('roles have the same rights on new tables as on the old ones', async () => {
  const { backend, sql, schema } = await newBackend({ notifications: 'off' });
  await downgrade(sql);
  const role = `role "${crypto.randomUUID()}`;
  await sql`create role ${sql(role)}`;
  await sql`grant select, insert, update, delete on all tables in schema ${sql(schema)} to ${sql(role)}`;
  await backend.migrate();
  const rights = await sql<{ table: string; rights: string }[]>`
    select table_name as table, string_agg(privilege_type, ' ' order by privilege_type) as rights
    from information_schema.role_table_grants where grantee = ${role} group by 1 order by 1`;
  const rightsOf = new Map(rights.map((row) => [row.table, row.rights]));
  expect(rightsOf.get('mcp_secrets')).toBe('DELETE INSERT SELECT UPDATE');
  expect(new Set(rightsOf.values()).size).toBe(1);
  expect(rightsOf.size).toBe(11);
  await sql`drop owned by ${sql(role)}`;
  await sql`drop role ${sql(role)}`;
});

it('a new store has no repair tasks', async () => {
  const { backend, sql } = await newBackend({ notifications: 'off' });
  expect(await sql`select from mcp_tasks`).toHaveLength(0);
  expect(await sql`select length(value) as length from mcp_secrets`).toEqual([{ length: 72 }]);
  expect(await backend.sweep(10, 1)).toEqual({ ids: [], done: true });
});

it('a record that an older version kept in the profile is there, and the next change moves it', async () => {
  const { url, schema, sql } = await newBackend({ notifications: 'off' });
  const before = await openStore({ url, schema, notifications: 'off' });
  const { id } = await before.create({ metadata: { kept: true }, protocol: { logLevel: 'info' } });
  await downgrade(sql);
  await sql`update mcp_sessions set profile = jsonb_set(profile::jsonb, '{record}', '{"epoch":7}')::text`;

  const store = await openStore({ url, schema, notifications: 'off' });
  const session = await store.get(id);
  if (session === undefined) throw new Error('The session is gone');
  expect(transportOf(session).transport).toMatchObject({ protocol: { logLevel: 'info' }, record: { epoch: 7 } });
  await transportOf(session).updateTransport((facts) => ({ ...facts, record: undefined }));
  const found = await store.get(id);
  expect(found?.metadata).toEqual({ kept: true });
  expect(found && transportOf(found).transport.record).toBeUndefined();
  expect(await sql`select profile like '%epoch%' as kept from mcp_sessions`).toEqual([{ kept: false }]);
});
