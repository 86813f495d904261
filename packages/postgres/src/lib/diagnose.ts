import { randomUUID } from 'node:crypto';
import { setTimeout as wait } from 'node:timers/promises';
import { diagnoseSchema, versionOf, type Diagnosis } from '@mcp-session/core/backend';
import type { Connection } from './connection.ts';
import { literal, placeOf } from './literals.ts';
import { indexNames, readSchemaVersion } from './migrate.ts';

/** A difference between the clocks that shortens or lengthens leases notably, in milliseconds. */
const CLOCK_TOLERANCE_MS = 2_000;
/** How long a notification may take, in milliseconds. */
const NOTIFICATION_MS = 3_000;
/** Tables whose rights a server needs. */
const TABLES = ['sessions', 'state', 'events', 'tokens', 'trims', 'secrets', 'tasks'];

/** Looks at the database for what an operator has to know. */
export async function diagnose(connection: Connection, clock: () => number): Promise<readonly Diagnosis[]> {
  const version = await readSchemaVersion(connection);
  const [server] = await connection.execute(`select current_setting('server_version') as version`);
  const versions: Diagnosis = {
    check: 'versions',
    status: 'ok',
    found: `postgres.js ${versionOf('postgres', import.meta.url) ?? 'of unknown version'}, PostgreSQL ${(server as { readonly version: string }).version}`,
  };
  const common = [
    diagnoseSchema(version),
    versions,
    await clockOf(connection, clock),
    await notificationsOf(connection),
  ];
  // The tables of another version have other rights and indexes.
  if (version.present !== version.needed) return common;
  return [...common, await rightsOf(connection), await indexesOf(connection)];
}

async function clockOf(connection: Connection, clock: () => number): Promise<Diagnosis> {
  const before = clock();
  const [row] = await connection.execute('select extract(epoch from clock_timestamp()) * 1000 as now');
  const here = (before + clock()) / 2;
  const aheadMs = Math.round(Number((row as { readonly now: string }).now) - here);
  const found = `clock of the database is ${Math.abs(aheadMs)} ms ${aheadMs < 0 ? 'behind' : 'ahead of'} this machine`;
  if (Math.abs(aheadMs) <= CLOCK_TOLERANCE_MS) return { check: 'clock', status: 'ok', found };
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

async function rightsOf(connection: Connection): Promise<Diagnosis> {
  const rows = await connection.execute(
    TABLES.map((name) => {
      const place = literal(placeOf(connection, name));
      const allowed = ['select', 'insert', 'update', 'delete'].map(
        (right) => `coalesce(has_table_privilege(to_regclass(${place}), '${right}'), false)`,
      );
      return `select '${name}' as name, ${allowed.join(' and ')} as allowed`;
    }).join(' union all '),
  );
  const refused = (rows as readonly { readonly name: string; readonly allowed: boolean }[])
    .filter(({ allowed }) => !allowed)
    .map(({ name }) => name);
  if (refused.length === 0) return { check: 'rights', status: 'ok', found: 'this role may read and write all tables' };
  return {
    check: 'rights',
    status: 'failure',
    found: `this role may not read and write: ${refused.join(', ')}`,
    remedy: 'grant select, insert, update and delete on all tables of the schema to the role',
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
