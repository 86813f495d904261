import { randomUUID } from 'node:crypto';
import { setTimeout as wait } from 'node:timers/promises';
import { SessionError } from '@mcp-session/core';
import { diagnoseSchema, versionOf, type Diagnosis } from '@mcp-session/core/backend';
import type { Connection } from './connection.ts';
import { literal } from './literals.ts';
import { indexNames, readSchemaVersion } from './migrate.ts';

/** A difference between the clocks that shortens or lengthens leases notably, in milliseconds. */
const CLOCK_TOLERANCE_MS = 2_000;
/** How long a notification may take, in milliseconds. */
const NOTIFICATION_MS = 3_000;
/** Tables that a server reads and writes. */
const TABLES = ['sessions', 'state', 'events', 'tokens', 'trims', 'secrets', 'tasks'];
const FUNCTIONS = ['append_events', 'commit_state', 'clear_state'];

/** Looks at the database for what an operator has to know. */
export async function diagnose(connection: Connection, clock: () => number): Promise<readonly Diagnosis[]> {
  const version = await readSchemaVersion(connection).catch(ifDenied);
  const [server] = await connection.execute(`select current_setting('server_version') as version`);
  const versions: Diagnosis = {
    check: 'versions',
    status: 'ok',
    found: `postgres.js ${versionOf('postgres', import.meta.url) ?? 'of unknown version'}, PostgreSQL ${(server as { readonly version: string }).version}`,
  };
  const common = [
    version === undefined ? UNREADABLE : diagnoseSchema(version),
    versions,
    await clockOf(connection, clock),
    await notificationsOf(connection),
  ];
  if (version === undefined) return [...common, await rightsOf(connection)];
  // The tables of another version have other rights and indexes.
  if (version.present !== version.needed) return common;
  return [...common, await rightsOf(connection), await indexesOf(connection)];
}

const UNREADABLE: Diagnosis = {
  check: 'schema',
  status: 'failure',
  found: 'this role may not read which version the tables have',
  remedy: 'give the role its rights',
};

/** What a role may not read is a finding of its own. */
function ifDenied(error: unknown): undefined {
  if (!(error instanceof SessionError) || error.code !== 'STORE_DENIED') throw error;
}

async function clockOf(connection: Connection, clock: () => number): Promise<Diagnosis> {
  const before = clock();
  const [row] = await connection.execute('select extract(epoch from clock_timestamp()) * 1000 as now');
  const here = (before + clock()) / 2;
  const aheadMs = Math.round(Number((row as { readonly now: string }).now) - here);
  const ms = Math.abs(aheadMs);
  const difference = ms < 10_000 ? `${ms} ms` : `${Math.round(ms / 1_000)} s`;
  const found = `clock of the database is ${difference} ${aheadMs < 0 ? 'behind' : 'ahead of'} this machine`;
  if (ms <= CLOCK_TOLERANCE_MS) return { check: 'clock', status: 'ok', found };
  return {
    check: 'clock',
    status: 'warning',
    found,
    remedy: 'synchronize the clocks of all nodes, for instance by NTP',
  };
}

async function notificationsOf(connection: Connection): Promise<Diagnosis> {
  const channel = `mcp_session_doctor_${randomUUID().replaceAll('-', '')}`;
  const { promise: arrived, resolve: arrive } = Promise.withResolvers<boolean>();
  try {
    const listening = await connection.bounded(
      connection.client.listen(
        channel,
        () => arrive(true),
        () => undefined,
      ),
    );
    await connection.execute(`select pg_notify(${literal(channel)}, '')`);
    const came = await Promise.race([arrived, wait(NOTIFICATION_MS, false, { ref: false })]);
    await connection.bounded(listening.unlisten()).catch(() => undefined);
    if (came) return { check: 'notifications', status: 'ok', found: 'a notification arrives' };
  } catch {
    // Reported below: nothing listens.
  }
  return {
    check: 'notifications',
    status: 'warning',
    found: 'no notification arrives, so nodes poll once a second',
    remedy: 'connect to the server itself, or to a pooler in session mode',
  };
}

/** Reads catalogs alone, which every role may read. */
async function rightsOf(connection: Connection): Promise<Diagnosis> {
  const list = (names: readonly string[]) =>
    names.map((name) => literal(`${connection.tablePrefix}${name}`)).join(', ');
  const rights = (names: readonly string[]) =>
    names.map((right) => `has_table_privilege(class.oid, '${right}')`).join(' and ');
  const rows = await connection.execute(`
    with place as (select oid from pg_namespace where nspname = ${literal(connection.schema)})
    select 'the schema' as name from place where not has_schema_privilege(place.oid, 'usage')
    union all select relname from pg_class as class join place on place.oid = relnamespace
      where relname in (${list(TABLES)}) and not (${rights(['select', 'insert', 'update', 'delete'])})
      or relname in (${list(['migrations'])}) and not (${rights(['select'])})
    union all select proname from pg_proc as function join place on place.oid = pronamespace
      where proname in (${list(FUNCTIONS)}) and not has_function_privilege(function.oid, 'execute')`);
  const refused = (rows as readonly { readonly name: string }[]).map(({ name }) => name).toSorted();
  const found = 'this role may use all tables and functions';
  if (refused.length === 0) return { check: 'rights', status: 'ok', found };
  return {
    check: 'rights',
    status: 'failure',
    found: `this role may not use: ${refused.join(', ')}`,
    remedy:
      'grant usage on the schema, select, insert, update and delete on its tables, and execute on its functions to the role',
  };
}

async function indexesOf(connection: Connection): Promise<Diagnosis> {
  const rows = await connection.execute(`select class.relname as name from pg_index
    join pg_class as class on class.oid = indexrelid join pg_namespace as place on place.oid = class.relnamespace
    where place.nspname = ${literal(connection.schema)} and indisvalid`);
  const present = new Set((rows as readonly { readonly name: string }[]).map(({ name }) => name));
  const missing = indexNames(connection).filter((name) => !present.has(name));
  if (missing.length === 0) return { check: 'indexes', status: 'ok', found: 'all indexes are there' };
  return {
    check: 'indexes',
    status: 'warning',
    found: `missing or invalid: ${missing.join(', ')}`,
    remedy: 'create them as a new schema has them, or rebuild them with reindex',
  };
}
