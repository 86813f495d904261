import type { SessionStore } from '@mcp-session/core';
import { createPostgresStore } from '@mcp-session/postgres';
import { expect, it, onTestFinished } from 'vitest';
import { connect, newRole } from './support/schemas.ts';

/**
 * What a role, a database or a server can have by default, as far from what PostgreSQL has as it
 * goes. Those of one group bear with each other.
 */
const groups: Readonly<Record<string, Readonly<Record<string, string>>>> = {
  'how values are written': {
    array_nulls: 'off',
    backslash_quote: 'off',
    bytea_output: 'escape',
    client_encoding: 'LATIN1',
    DateStyle: 'German',
    extra_float_digits: '-15',
    IntervalStyle: 'sql_standard',
    lc_monetary: 'C',
    lc_numeric: 'C',
    quote_all_identifiers: 'on',
    standard_conforming_strings: 'off',
    TimeZone: 'Pacific/Chatham',
    transform_null_equals: 'on',
    xmloption: 'document',
  },
  'what names mean': {
    search_path: 'other, pg_catalog',
    'plpgsql.variable_conflict': 'use_variable',
    'plpgsql.extra_errors': 'all',
    check_function_bodies: 'off',
    row_security: 'off',
    session_replication_role: 'replica',
  },
  'repeatable read': { default_transaction_isolation: 'repeatable read' },
  serializable: { default_transaction_isolation: 'serializable', default_transaction_deferrable: 'on' },
  'a planner that scans': {
    enable_indexscan: 'off',
    enable_indexonlyscan: 'off',
    enable_bitmapscan: 'off',
    enable_nestloop: 'off',
    enable_tidscan: 'off',
    plan_cache_mode: 'force_custom_plan',
  },
  'a planner that sorts nothing and hashes nothing': {
    enable_seqscan: 'off',
    enable_hashagg: 'off',
    enable_hashjoin: 'off',
    enable_mergejoin: 'off',
    enable_sort: 'off',
    enable_incremental_sort: 'off',
    enable_material: 'off',
    enable_memoize: 'off',
    from_collapse_limit: '1',
    join_collapse_limit: '1',
    plan_cache_mode: 'force_generic_plan',
  },
  'limits of time': {
    lock_timeout: '5s',
    idle_in_transaction_session_timeout: '100ms',
    transaction_timeout: '5s',
  },
};

const keys = ['__proto__', 'a.b c', `q'"\\`, 'NULL', 'null', '\\x41', '{a,"b"}', '\u0001', 'ü', '😀', '-1', '0', ' '];
const values = [null, 'NULL', '\\x41', '\u0000', '\ud800', `'"\\'`, '\u0001', -1.5e-300, 1e300, { a: [1, null] }, {}];

/** What a store is used for, from two nodes at once. */
async function use(stores: readonly [SessionStore, SessionStore], pass: () => void): Promise<void> {
  const [one, two] = stores;
  const session = await one.create({ principal: 'me|ü' });
  const same = await two.get(session.id, { principal: 'me|ü' });
  if (same === undefined) throw new Error('The session is not there');
  expect(await two.get(session.id, { principal: 'you' })).toBeUndefined();

  for (const [index, key] of keys.entries()) await session.state.set(key, values[index % values.length]);
  const kept = new Map<string, unknown>(keys.map((key, index) => [key, values[index % values.length]]));
  expect(new Map(await same.state.entries())).toEqual(kept);
  expect(new Set(await same.state.keys())).toEqual(new Set(keys));
  for (const [key, value] of kept) expect(await same.state.get(key)).toEqual(value);
  await session.state.patch({ '😀': 1, new: 2 });
  await Promise.all(keys.slice(0, 4).map((key) => same.state.remove(key)));
  expect(new Set(await session.state.keys())).toEqual(new Set([...keys.slice(4), 'new']));
  const count = (n: unknown) => (typeof n === 'number' ? n + 1 : 1);
  await Promise.all(
    Array.from({ length: 20 }, async (_, n) => void (await (n % 2 === 0 ? session : same).state.update('n', count))),
  );
  expect(await session.state.get('n')).toBe(20);

  const tailed: unknown[] = [];
  const reading = (async () => {
    for await (const { message } of same.events.tail({ streamId: 's' })) if (tailed.push(message) === 30) return;
  })();
  const others = await Promise.all(Array.from({ length: 3 }, () => one.create()));
  await Promise.all(
    Array.from({ length: 30 }, async (_, n) => {
      await Promise.all(others.map(({ events }) => events.append('s', n)));
      await (n % 2 === 0 ? session : same).events.append('s', { n, value: values[n % values.length] });
    }),
  );
  await reading;
  const replayed = [];
  const ids = [];
  for await (const { id, message } of session.events.replay()) {
    ids.push(id);
    replayed.push(message);
  }
  expect(tailed).toEqual(replayed);
  expect(new Set(replayed.map((message) => JSON.stringify(message))).size).toBe(30);
  expect((await same.events.recent(3)).map(({ message }) => message)).toEqual(replayed.slice(-3));
  expect(await session.events.trim({ maxEvents: 5 })).toBe(25);
  await expect(same.events.replay({ after: ids[3] ?? '' }).next()).rejects.toMatchObject({ code: 'EVENTS_TRIMMED' });

  expect(await one.count()).toBe(4);
  expect((await two.list({ principal: 'me|ü' })).sessions.map(({ id }) => id)).toEqual([session.id]);
  expect(await session.end()).toBe(true);
  expect(await two.get(session.id, { principal: 'me|ü' })).toBeUndefined();
  pass();
  await Promise.all(stores.map((store) => store.sweep()));
  await one.sweep();
}

it.each(Object.keys(groups))('%s: defaults of a role change nothing', { timeout: 60_000 }, async (name) => {
  const { sql, role, url } = await newRole();
  const known = new Set((await sql<{ name: string }[]>`select name from pg_settings`).map((row) => row.name));
  await sql.unsafe(`create schema ${role} authorization ${role}`);
  let set = 0;
  for (const [setting, value] of Object.entries(groups[name] ?? {})) {
    // Some are of newer servers only.
    if (!known.has(setting) && !setting.startsWith('plpgsql.')) continue;
    await sql.unsafe(`alter role ${role} set ${setting} = ${setting === 'search_path' ? value : `'${value}'`}`);
    set++;
  }
  expect(set).toBeGreaterThan(0);
  let now = Date.now();
  const clock = () => now;
  const options = { schema: role, sweep: false, clock } as const;
  // Two that open it at once, one of them with a client whose connections bring no settings of
  // ours.
  const stores = await Promise.all([
    createPostgresStore({ ...options, url }),
    createPostgresStore({ ...options, sql: connect(url, { max: 4 }) }),
  ]);
  onTestFinished(async () => void (await Promise.all(stores.map((store) => store.close()))));
  await use(stores, () => void (now += 1e9));
  for (const table of ['sessions', 'events', 'state', 'tokens', 'trims']) {
    expect([table, await sql.unsafe(`select from ${role}.mcp_${table}`)]).toMatchObject([table, []]);
  }
});
