import { SessionError } from '@mcp-session/core';
import type { Connection } from './connection.ts';
import { identifier, literal, placeOf, tagOf } from './literals.ts';
import { initial, sweeping, type Compilable } from './migrate/tables.ts';

/** The oldest server that the tests run on. */
const MIN_SERVER_VERSION = 15;
/** How long all that is to be done may take, in milliseconds: a large table can take a while, and others may be at it. */
const TIMEOUT_MS = 600_000;

/** The migrations of this version, in order. A name in the database that is not here comes from a newer one. */
const migrations: Record<string, (connection: Connection) => readonly Compilable[]> = {
  '0001-initial': initial,
  '0002-sweeping': sweeping,
};

interface Server {
  readonly version: string;
  readonly encoding: string;
  readonly has_schema: boolean;
  readonly has_table: boolean;
}

/**
 * Makes the tables or brings them up to date. Where nothing is to be done it only reads, so that a role that may not make tables will do.
 *
 * @throws SessionError `STORE_SCHEMA_TOO_NEW`, `STORE_UNAVAILABLE` where the server is too old.
 */
export async function migrate(connection: Connection): Promise<void> {
  const server = await inspect(connection);
  const done = server.has_table ? await countDone(connection) : 0;
  if (done < Object.keys(migrations).length) await connection.execute(script(connection, server), TIMEOUT_MS);
}

async function inspect(connection: Connection): Promise<Server> {
  const { label, schema } = connection;
  const [row] = await connection.execute(`
    select current_setting('server_version_num') as version, current_setting('server_encoding') as encoding,
      exists (select from pg_namespace where nspname = ${literal(schema)}) as has_schema,
      to_regclass(${literal(placeOf(connection, 'migrations'))}) is not null as has_table`);
  const server = row as Server;
  const version = Math.floor(Number(server.version) / 10_000);
  if (version < MIN_SERVER_VERSION)
    throw new SessionError(
      'STORE_UNAVAILABLE',
      `Session store is on PostgreSQL ${version}; @mcp-session/postgres needs ${MIN_SERVER_VERSION} or newer`,
      { store: label },
    );
  // A database in SQL_ASCII takes any bytes and gives them back (postgresql.org/docs/current/multibyte.html).
  if (server.encoding !== 'UTF8' && server.encoding !== 'SQL_ASCII')
    throw new SessionError(
      'STORE_UNAVAILABLE',
      `Session store is in a database with the encoding ${server.encoding}, not UTF8`,
      { store: label },
    );
  return server;
}

async function countDone(connection: Connection): Promise<number> {
  const rows = await connection.execute(`select name from ${placeOf(connection, 'migrations')}`);
  const unknown = rows
    .map((row) => (row as { readonly name: string }).name)
    .find((name) => !Object.hasOwn(migrations, name));
  if (unknown !== undefined)
    throw new SessionError(
      'STORE_SCHEMA_TOO_NEW',
      `Session store was migrated by a newer version of @mcp-session/postgres (${JSON.stringify(unknown)}); nothing was changed, install that version`,
      { store: connection.label },
    );
  return rows.length;
}

/**
 * All that is to be done, to be sent as one message: PostgreSQL runs the statements of a simple query in one transaction
 * (postgresql.org/docs/current/protocol-flow.html, "Multiple Statements in a Simple Query"). So nothing is held open across round trips, no connection has to be
 * reserved, and `begin`, which postgres.js can send on a connection that it has not reserved (porsager/postgres#823), is not needed.
 *
 * Others may be at the same. The lock lets one of them work, and each migration looks for itself whether it was done meanwhile.
 */
function script(connection: Connection, { has_schema }: Server): string {
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
    // First of all, since a transaction that has looked at anything keeps its isolation. Under a stricter one, those who waited for the lock would not see what the one before has made.
    'set transaction isolation level read committed',
    `select set_config('statement_timeout', '0', true), set_config('client_min_messages', 'warning', true)`,
    `select pg_advisory_xact_lock(hashtextextended(${literal(`mcp-session ${connection.schema}`)}, 0))`,
    // Where it exists nothing is asked for: `if not exists` wants the right to make schemas all the same.
    ...(has_schema ? [] : [`create schema if not exists ${identifier(connection.schema)}`]),
    `create table if not exists ${place} (name text collate "C" primary key, migrated_at timestamptz not null default now())`,
    ...steps,
  ].join(';\n');
}
