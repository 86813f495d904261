import { SessionError } from '@mcp-session/core';
import type { SchemaVersion } from '@mcp-session/core/backend';
import type { Connection } from './connection.ts';
import { identifier, literal, placeOf, tagOf } from './literals.ts';
import { foreignTables, refuseForeign } from './migrate/foreign-tables.ts';
import { initial, records, sweeping, type Compilable } from './migrate/tables.ts';
import { readableViews } from './migrate/views.ts';

/** The oldest server version that the tests run on. */
const MIN_SERVER_VERSION = 15;
/**
 * Time limit for all migrations, in milliseconds: tables may be large, and another process may be
 * migrating.
 */
const TIMEOUT_MS = 600_000;

const FIRST = '0001-initial';

/**
 * The migrations of this version, in order. Another name in the database comes from a newer
 * version.
 */
const migrations: Record<string, (connection: Connection) => readonly Compilable[]> = {
  [FIRST]: initial,
  '0002-sweeping': sweeping,
  '0003-readable-views': readableViews,
  '0004-records': records,
};

const MIGRATIONS = Object.keys(migrations).length;

interface Server {
  readonly version: string;
  readonly encoding: string;
  readonly has_schema: boolean;
  readonly has_table: boolean;
}

/**
 * Creates or migrates the tables. If nothing is to be done it only reads, so a role without the
 * right to create tables is enough.
 *
 * @throws SessionError `STORE_SCHEMA_TOO_NEW`; `STORE_UNAVAILABLE` if the server is too old;
 * `STORE_FAILED` if tables with the names of ours are those of something else.
 */
export async function migrate(connection: Connection): Promise<void> {
  const server = await inspect(connection);
  const done = server.has_table ? await countDone(connection) : 0;
  if (done === MIGRATIONS) return;
  const script = statements(connection, server).join(';\n\n');
  await connection.execute(script, TIMEOUT_MS).catch(refuseForeign(connection));
}

/**
 * The statements of pending migrations, which {@link migrate} would run in one transaction, without
 * a write.
 *
 * @throws Like {@link migrate}.
 */
export async function planMigration(connection: Connection): Promise<readonly string[]> {
  const server = await inspect(connection);
  const done = server.has_table ? await countDone(connection) : 0;
  return done < MIGRATIONS ? statements(connection, server) : [];
}

/**
 * Which schema the tables have, without a write: the number of migrations.
 *
 * @throws SessionError `STORE_SCHEMA_TOO_NEW`.
 */
export async function readSchemaVersion(connection: Connection): Promise<SchemaVersion> {
  const [row] = await connection.execute(`select ${hasTable(connection)}`);
  const { has_table } = row as { readonly has_table: boolean };
  return { present: has_table ? await countDone(connection) : 0, needed: MIGRATIONS };
}

/** Names of the indexes that the migrations of this version create. */
export function indexNames(connection: Connection): readonly string[] {
  const statements = initial(connection).map((statement) => statement.compile().sql);
  return statements.flatMap((text) => /^create (?:unique )?index "([^"]+)"/.exec(text)?.[1] ?? []);
}

async function inspect(connection: Connection): Promise<Server> {
  const { label, schema } = connection;
  const [row] = await connection.execute(`
    select current_setting('server_version_num') as version, current_setting('server_encoding') as encoding,
      exists (select from pg_namespace where nspname = ${literal(schema)}) as has_schema,
      ${hasTable(connection)}`);
  const server = row as Server;
  const version = Math.floor(Number(server.version) / 10_000);
  if (version < MIN_SERVER_VERSION) {
    throw new SessionError(
      'STORE_UNAVAILABLE',
      `Session store is on PostgreSQL ${version}; @mcp-session/postgres needs ${MIN_SERVER_VERSION} or newer`,
      { store: label },
    );
  }
  // A database in SQL_ASCII stores any bytes unchanged
  // (postgresql.org/docs/current/multibyte.html).
  if (server.encoding !== 'UTF8' && server.encoding !== 'SQL_ASCII') {
    throw new SessionError(
      'STORE_UNAVAILABLE',
      `Session store is in a database with the encoding ${server.encoding}, not UTF8`,
      { store: label },
    );
  }
  return server;
}

/** A column that reports whether the list of migrations is there. */
const hasTable = (connection: Connection): string =>
  `to_regclass(${literal(placeOf(connection, 'migrations'))}) is not null as has_table`;

async function countDone(connection: Connection): Promise<number> {
  const names = `select name from ${placeOf(connection, 'migrations')}`;
  const rows = await connection.execute(names).catch(refuseForeign(connection));
  const done = rows.map((row) => (row as { readonly name: string }).name);
  const unknown = done.find((name) => !Object.hasOwn(migrations, name));
  // Every version of this package begins with the same migration.
  if (unknown !== undefined && !done.includes(FIRST)) throw foreignTables(connection);
  if (unknown !== undefined) {
    throw new SessionError(
      'STORE_SCHEMA_TOO_NEW',
      `Session store was migrated by a newer version of @mcp-session/postgres (${JSON.stringify(unknown)}); nothing was changed, install that version`,
      { store: connection.label },
    );
  }
  return done.length;
}

/**
 * All pending migrations, for one message: PostgreSQL runs the statements of a simple query in one
 * transaction (postgresql.org/docs/current/protocol-flow.html, "Multiple Statements in a Simple
 * Query"). So no transaction stays open across round trips, no connection has to be reserved, and
 * there is no `begin`, which postgres.js can send on a connection that it has not reserved
 * (porsager/postgres#823).
 *
 * Several processes may migrate at once. The lock admits one of them, and each migration checks
 * whether it was done meanwhile.
 */
function statements(connection: Connection, { has_schema }: Server): readonly string[] {
  const place = placeOf(connection, 'migrations');
  const tag = tagOf('migration', connection.schema);
  const steps = Object.entries(migrations).map(
    ([name, make]) => `do ${tag} begin
      if exists (select from ${place} where name = ${literal(name)}) then return; end if;
      ${make(connection)
        .map((statement) => `${statement.compile().sql};`)
        .join('\n')}
      insert into ${place} (name) values (${literal(name)});
    end ${tag}`,
  );
  return [
    // Comes first, because a transaction keeps its isolation level after its first read. Under a
    // stricter level, a process that waited for the lock would not see the tables of the one
    // before.
    'set transaction isolation level read committed',
    `select set_config('statement_timeout', '0', true), set_config('client_min_messages', 'warning', true)`,
    `select pg_advisory_xact_lock(hashtextextended(${literal(`mcp-session ${connection.schema}`)}, 0))`,
    // Only if it does not exist: `if not exists` needs the right to create schemas even then.
    ...(has_schema ? [] : [`create schema if not exists ${identifier(connection.schema)}`]),
    `create table if not exists ${place} (name text collate "C" primary key, migrated_at timestamptz not null default now())`,
    ...steps,
  ];
}
