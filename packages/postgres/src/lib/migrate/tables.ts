import { sql, type CompiledQuery, type CreateTableBuilder, type RawBuilder } from 'kysely';
import type { Connection } from '../connection.ts';
import { functions } from '../functions.ts';
import { literal, placeOf } from '../literals.ts';
import { table, type Tables } from '../schema.ts';
import { tasks } from '../sweep/upkeep.ts';

// The statements of each migration, for the body of a PL/pgSQL block. A released migration never
// changes.

export interface Compilable {
  compile(): CompiledQuery;
}

// Compared byte by byte, as the contract promises for ids, and faster than by the rules of a
// language.
const bytewise = sql`text collate "C"`;

const ofLive = [sql.ref('ended_at'), 'is', null] as const;

export function initial(connection: Connection): readonly Compilable[] {
  return [
    ...sessionsTable(connection),
    ...ownedTables(connection),
    // Most sessions are small and few are large. With the average `n_distinct` the planner sorts a
    // whole session instead of reading one page in index order.
    ...[table.events, table.trims].map((name) =>
      raw(connection, sql`alter table ${name} alter column session_pk set (n_distinct = 200)`),
    ),

    ...functions(connection).map((made) => raw(connection, made)),
  ];
}

function sessionsTable({ queries: { schema }, tablePrefix }: Connection): readonly Compilable[] {
  const createIndex = (name: string) => schema.createIndex(`${tablePrefix}${name}`);
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
      // Each append makes a new version of the row. The fill factor leaves room for it in the same
      // page, and the tuple target moves a large profile out of the row, so that it is not copied.
      .modifyEnd(sql`with (fillfactor = 70, toast_tuple_target = 256)`),

    // No append, state write or renewal changes a column of these indexes.
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
  ];
}

/** The tables whose rows belong to sessions. */
function ownedTables({ queries: { schema }, tablePrefix }: Connection): readonly Compilable[] {
  const createIndex = (name: string) => schema.createIndex(`${tablePrefix}${name}`);
  // Without foreign keys: each new event would look up and lock its session once more. Every
  // statement that writes a row holds the lock on its session, and a session is removed after its
  // rows.
  const createOwned = (name: keyof Tables) =>
    schema.createTable(name).addColumn('session_pk', 'int8', (column) => column.notNull());

  return [
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
  ];
}

/** The secret of the hints, and the tasks that let sweeps repair what older versions have left. */
export function sweeping(connection: Connection): readonly Compilable[] {
  const { schema } = connection.queries;
  const { sessions, events, secrets, tasks: left } = table;
  return [
    schema
      .createTable('secrets')
      .addColumn('name', bytewise, (column) => column.primaryKey())
      .addColumn('value', 'text', (column) => column.notNull()),
    schema
      .createTable('tasks')
      .addColumn('name', bytewise, (column) => column.primaryKey())
      .$call(counters('cursor_pk', 'due_at'))
      .addColumn('rounds', 'int4', (column) => column.notNull()),
    ...['secrets', 'tasks'].map((made) => grantAsOnSessions(connection, made)),
    // Each has 122 bits from a cryptographic source
    // (postgresql.org/docs/current/functions-uuid.html).
    raw(
      connection,
      sql`insert into ${secrets} (name, value) values ('hints', gen_random_uuid()::text || gen_random_uuid()::text)`,
    ),
    // Two rounds, a day apart: nodes of the old version may run for a while. A new database needs
    // none.
    ...tasks.map((name) =>
      raw(
        connection,
        sql`insert into ${left} (name, rounds) select ${sql.lit(name)}, 2
          where exists (select from ${sessions}) or exists (select from ${events})`,
      ),
    ),
  ];
}

/**
 * Adds the transports' records. A default that is constant changes no stored row
 * (postgresql.org/docs/current/sql-altertable.html).
 */
export function records({ queries: { schema } }: Connection): readonly Compilable[] {
  return [
    schema
      .alterTable('sessions')
      .addColumn('record', 'text', (column) => column.notNull().defaultTo(''))
      .addColumn('record_version', 'int8', (column) => column.notNull().defaultTo(0)),
  ];
}

/**
 * Grants the rights on the sessions table for a new table too, because default privileges may be
 * missing.
 */
export function grantAsOnSessions(connection: Connection, made: string): Compilable {
  const grant = `grant %s on ${placeOf(connection, made)} to %s`;
  return raw(
    connection,
    sql.raw(`declare
      given record;
    begin
      for given in
        select acl.privilege_type as privilege, case when acl.grantee = 0 then 'public' else quote_ident(pg_get_userbyid(acl.grantee)) end as grantee
        from pg_class, aclexplode(pg_class.relacl) as acl
        where pg_class.oid = ${literal(placeOf(connection, 'sessions'))}::regclass
      loop
        execute format(${literal(grant.replaceAll('%', '%%').replaceAll('%%s', '%s'))}, given.privilege, given.grantee);
      end loop;
    end`),
  );
}

export function raw({ queries }: Connection, made: RawBuilder<unknown>): Compilable {
  return { compile: () => made.compile(queries) };
}

type Columns = (made: CreateTableBuilder<string>) => CreateTableBuilder<string>;

function required(...names: readonly string[]): Columns {
  return (made) => names.reduce((all, name) => all.addColumn(name, 'int8', (column) => column.notNull()), made);
}

function counters(...names: readonly string[]): Columns {
  return (made) =>
    names.reduce((all, name) => all.addColumn(name, 'int8', (column) => column.notNull().defaultTo(0)), made);
}
