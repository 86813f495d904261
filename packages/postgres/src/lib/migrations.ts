import { SessionError } from '@mcp-session/core';
import { sql, type CompiledQuery, type CreateTableBuilder, type RawBuilder } from 'kysely';
import type { Connection } from './connection.ts';
import { functions } from './functions.ts';
import { table, type Tables } from './schema.ts';

/** The oldest server that the tests run on. */
const MIN_SERVER_VERSION = 15;
/** How long all that is to be done may take, in milliseconds: a large table can take a while, and others may be at it. */
const TIMEOUT_MS = 600_000;

interface Compilable {
  compile(): CompiledQuery;
}

/** The migrations of this version, in order. A name in the database that is not here comes from a newer one. */
const migrations: Record<string, (connection: Connection) => readonly Compilable[]> = {
  '0001-initial': initial,
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
      to_regclass(${literal(migrationsTable(connection))}) is not null as has_table`);
  const server = row as Server;
  const version = Math.floor(Number(server.version) / 10_000);
  if (version < MIN_SERVER_VERSION)
    throw new SessionError(
      'STORE_UNAVAILABLE',
      `${label} is served by PostgreSQL ${version}; @mcp-session/postgres needs ${MIN_SERVER_VERSION} or newer`,
    );
  // A database in SQL_ASCII takes any bytes and gives them back (postgresql.org/docs/current/multibyte.html).
  if (server.encoding !== 'UTF8' && server.encoding !== 'SQL_ASCII')
    throw new SessionError('STORE_UNAVAILABLE', `${label} has the encoding ${server.encoding}, not UTF8`);
  return server;
}

async function countDone(connection: Connection): Promise<number> {
  const rows = await connection.execute(`select name from ${migrationsTable(connection)}`);
  const unknown = rows
    .map((row) => (row as { readonly name: string }).name)
    .find((name) => !Object.hasOwn(migrations, name));
  if (unknown !== undefined)
    throw new SessionError(
      'STORE_SCHEMA_TOO_NEW',
      `${connection.label} was migrated by a newer version of @mcp-session/postgres (${JSON.stringify(unknown)}); nothing was changed, install that version`,
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
  const place = migrationsTable(connection);
  const steps = Object.entries(migrations).map(
    ([name, make]) => `do $migration$ begin
      if exists (select from ${place} where name = ${literal(name)}) then return; end if;
      ${make(connection)
        .map((statement) => `${statement.compile().sql};`)
        .join('\n')}
      insert into ${place} (name) values (${literal(name)});
    end $migration$`,
  );
  return [
    `select set_config('statement_timeout', '0', true), set_config('client_min_messages', 'warning', true)`,
    `select pg_advisory_xact_lock(hashtextextended(${literal(`mcp-session ${connection.schema}`)}, 0))`,
    // Where it exists nothing is asked for: `if not exists` wants the right to make schemas all the same.
    ...(has_schema ? [] : [`create schema if not exists ${identifier(connection.schema)}`]),
    `create table if not exists ${place} (name text collate "C" primary key, migrated_at timestamptz not null default now())`,
    ...steps,
  ].join(';\n');
}

function migrationsTable({ schema, tablePrefix }: Connection): string {
  return `${identifier(schema)}.${identifier(`${tablePrefix}migrations`)}`;
}

function identifier(name: string): string {
  return `"${name.replaceAll('"', '""')}"`;
}

// As an escape string: whatever standard_conforming_strings is set to, a backslash then means the same.
function literal(text: string): string {
  return `E'${text.replaceAll('\\', '\\\\').replaceAll("'", "''")}'`;
}

// Compared byte by byte, as the ids are promised to be, and faster than by the rules of a language.
const bytewise = sql`text collate "C"`;

const ofLive = [sql.ref('ended_at'), 'is', null] as const;

function initial(connection: Connection): readonly Compilable[] {
  const { queries, tablePrefix } = connection;
  const { schema } = queries;
  const createIndex = (name: string) => schema.createIndex(`${tablePrefix}${name}`);
  // Without foreign keys: each new event would look its session up again and lock it once more. Every statement that writes a row holds the lock on its session, and
  // a session goes after all that is its own.
  const createOwned = (name: keyof Tables) =>
    schema.createTable(name).addColumn('session_pk', 'int8', (column) => column.notNull());

  const raw = (made: RawBuilder<unknown>): Compilable => ({ compile: () => made.compile(queries) });

  return [
    schema
      .createTable('sessions')
      .addColumn('pk', 'int8', (column) => column.primaryKey().generatedAlwaysAsIdentity())
      .addColumn('ended_at', 'int8')
      .addColumn('purge_at', 'int8')
      .$call(required('created_at', 'touched_at', 'expires_at', 'sweep_at'))
      .$call(counters('last_seq', 'trimmed_seq', 'forgotten_seq', 'log_bytes'))
      .$call(counters('state_version', 'state_keys', 'state_bytes'))
      .addColumn('version', 'int8', (column) => column.notNull().defaultTo(1))
      .addColumn('id', bytewise, (column) => column.notNull().unique())
      .addColumn('kind', bytewise, (column) => column.notNull())
      .addColumn('principal', bytewise)
      .addColumn('profile', 'text', (column) => column.notNull())
      // Each append makes a new version of the row. There is room for it in the same page, and a profile of some size is kept elsewhere, so that it is not copied.
      .modifyEnd(sql`with (fillfactor = 70, toast_tuple_target = 256)`),

    // No column of these is changed by an append, by state or by a renewal.
    createIndex('sessions_by_kind')
      .on('sessions')
      .columns(['kind', 'id'])
      .where(...ofLive),
    createIndex('sessions_by_principal')
      .on('sessions')
      .columns(['kind', 'principal', 'id'])
      .where(...ofLive),
    createIndex('sessions_by_sweep')
      .on('sessions')
      .column('sweep_at')
      .where(...ofLive),
    createIndex('sessions_ended').on('sessions').column('sweep_at').where(sql.ref('ended_at'), 'is not', null),

    createOwned('state')
      .addColumn('version', 'int8', (column) => column.notNull())
      .addColumn('bytes', 'int8', (column) => column.notNull())
      .addColumn('key', 'bytea', (column) => column.notNull())
      .addColumn('value', 'text', (column) => column.notNull())
      .addPrimaryKeyConstraint(`${tablePrefix}state_key`, ['session_pk', 'key']),

    createOwned('events')
      .addColumn('seq', 'int8', (column) => column.notNull())
      .addColumn('created_at', 'int8', (column) => column.notNull())
      .addColumn('bytes', 'int4', (column) => column.notNull())
      .addColumn('stream_id', bytewise, (column) => column.notNull())
      .addColumn('message', 'text', (column) => column.notNull())
      .addPrimaryKeyConstraint(`${tablePrefix}event_key`, ['session_pk', 'seq']),
    createIndex('events_by_stream').on('events').columns(['session_pk', 'stream_id', 'seq']),

    createOwned('tokens')
      .addColumn('first_seq', 'int8', (column) => column.notNull())
      .addColumn('last_seq', 'int8', (column) => column.notNull())
      .addColumn('token', bytewise, (column) => column.notNull())
      .addPrimaryKeyConstraint(`${tablePrefix}token_key`, ['session_pk', 'token']),

    createOwned('trims')
      .addColumn('trimmed_seq', 'int8', (column) => column.notNull())
      .addColumn('stream_id', bytewise, (column) => column.notNull())
      .addPrimaryKeyConstraint(`${tablePrefix}trim_key`, ['session_pk', 'stream_id']),
    createIndex('trims_by_seq').on('trims').columns(['session_pk', 'trimmed_seq']),

    // Most sessions are small and few are large. By the average, the planner would rather fetch all of a session and sort or filter it than read a page of it in the order
    // of the index that is made for it.
    ...[table.events, table.trims].map((name) =>
      raw(sql`alter table ${name} alter column session_pk set (n_distinct = 200)`),
    ),

    ...functions(connection).map(raw),
  ];
}

type Columns = (made: CreateTableBuilder<string>) => CreateTableBuilder<string>;

function required(...names: readonly string[]): Columns {
  return (made) => names.reduce((all, name) => all.addColumn(name, 'int8', (column) => column.notNull()), made);
}

function counters(...names: readonly string[]): Columns {
  return (made) =>
    names.reduce((all, name) => all.addColumn(name, 'int8', (column) => column.notNull().defaultTo(0)), made);
}
