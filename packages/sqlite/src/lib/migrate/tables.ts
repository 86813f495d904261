import { sql, type Compilable } from 'kysely';
import type { Connection } from '../connection.ts';

// The statements of each migration. A released migration never changes.

export function initial(connection: Connection): readonly Compilable[] {
  return [...sessionsTable(connection), ...ownedTables(connection)];
}

function sessionsTable({ queries: { schema }, tablePrefix: prefix }: Connection): readonly Compilable[] {
  const createIndex = (name: string) => schema.createIndex(`${prefix}${name}`).ifNotExists();
  return [
    schema
      .createTable('sessions')
      .ifNotExists()
      .addColumn('pk', 'integer', (column) => column.primaryKey())
      .addColumn('id', 'text', (column) => column.notNull().unique())
      .addColumn('kind', 'text', (column) => column.notNull())
      .addColumn('principal', 'text')
      .addColumn('created_at', 'integer', (column) => column.notNull())
      .addColumn('touched_at', 'integer', (column) => column.notNull())
      .addColumn('expires_at', 'integer', (column) => column.notNull())
      .addColumn('ended_at', 'integer')
      .addColumn('purge_at', 'integer')
      .addColumn('sweep_at', 'integer', (column) => column.notNull())
      .addColumn('last_seq', 'integer', (column) => column.notNull().defaultTo(0))
      .addColumn('trimmed_seq', 'integer', (column) => column.notNull().defaultTo(0))
      .addColumn('forgotten_seq', 'integer', (column) => column.notNull().defaultTo(0))
      .addColumn('log_bytes', 'integer', (column) => column.notNull().defaultTo(0))
      .addColumn('state_version', 'integer', (column) => column.notNull().defaultTo(0))
      .addColumn('state_keys', 'integer', (column) => column.notNull().defaultTo(0))
      .addColumn('state_bytes', 'integer', (column) => column.notNull().defaultTo(0))
      .addColumn('version', 'integer', (column) => column.notNull().defaultTo(1))
      .addColumn('profile', 'text', (column) => column.notNull())
      .modifyEnd(sql`strict`),

    // An append changes none of these.
    createIndex('sessions_by_kind').on('sessions').columns(['kind', 'id']).where(sql.ref('ended_at'), 'is', null),
    createIndex('sessions_by_principal')
      .on('sessions')
      .columns(['kind', 'principal', 'id'])
      .where(sql.ref('ended_at'), 'is', null),
    createIndex('sessions_by_sweep').on('sessions').column('sweep_at'),
  ];
}

/** The tables whose rows belong to sessions. */
function ownedTables({ queries: { schema }, tablePrefix: prefix }: Connection): readonly Compilable[] {
  const createIndex = (name: string) => schema.createIndex(`${prefix}${name}`).ifNotExists();
  const createOwned = (name: string) =>
    schema
      .createTable(name)
      .ifNotExists()
      .addColumn('session_pk', 'integer', (column) => column.notNull().references('sessions.pk'));

  return [
    createOwned('state')
      .addColumn('key', 'text', (column) => column.notNull())
      .addColumn('version', 'integer', (column) => column.notNull())
      .addColumn('bytes', 'integer', (column) => column.notNull())
      .addColumn('value', 'text', (column) => column.notNull())
      .addPrimaryKeyConstraint('state_key', ['session_pk', 'key'])
      .modifyEnd(sql`strict, without rowid`),

    // With a rowid, unlike the other tables: every new event goes to the end of the table, and only
    // the two narrow indexes change in the middle. A table stored by session would split pages full
    // of messages at each append.
    createOwned('events')
      .addColumn('seq', 'integer', (column) => column.notNull())
      .addColumn('stream_id', 'text', (column) => column.notNull())
      .addColumn('created_at', 'integer', (column) => column.notNull())
      .addColumn('bytes', 'integer', (column) => column.notNull())
      .addColumn('message', 'text', (column) => column.notNull())
      .addPrimaryKeyConstraint('event_key', ['session_pk', 'seq'])
      .modifyEnd(sql`strict`),
    createIndex('events_by_stream').unique().on('events').columns(['session_pk', 'stream_id', 'seq']),

    createOwned('tokens')
      .addColumn('token', 'text', (column) => column.notNull())
      .addColumn('first_seq', 'integer', (column) => column.notNull())
      .addColumn('last_seq', 'integer', (column) => column.notNull())
      .addPrimaryKeyConstraint('token_key', ['session_pk', 'token'])
      .modifyEnd(sql`strict, without rowid`),

    createOwned('trims')
      .addColumn('stream_id', 'text', (column) => column.notNull())
      .addColumn('trimmed_seq', 'integer', (column) => column.notNull())
      .addPrimaryKeyConstraint('trim_key', ['session_pk', 'stream_id'])
      .modifyEnd(sql`strict, without rowid`),
    createIndex('trims_by_seq').on('trims').columns(['session_pk', 'trimmed_seq']),
  ];
}

/** Renames the column that sweeps use. */
export function lookAt({ handle, queries, tablePrefix }: Connection): readonly Compilable[] {
  const columns = handle.prepare<[string], string>('select name from pragma_table_info(?)').pluck();
  const renamed = columns.all(`${tablePrefix}sessions`).includes('look_at');
  return [
    // The column gets a new name because its meaning changes. An older version that still runs
    // would take live sessions for expired ones; now it gets an error instead.
    ...(renamed ? [] : [queries.schema.alterTable('sessions').renameColumn('sweep_at', 'look_at')]),
    // Older versions kept the principal in tombstones.
    queries
      .updateTable('sessions')
      .set({ principal: sql`null` })
      .where('ended_at', 'is not', null)
      .where('principal', 'is not', null),
  ];
}

/** Adds the table of the transports' records. */
export function records({ queries: { schema } }: Connection): readonly Compilable[] {
  return [
    schema
      .createTable('records')
      .ifNotExists()
      .addColumn('session_pk', 'integer', (column) => column.primaryKey().references('sessions.pk'))
      .addColumn('record_version', 'integer', (column) => column.notNull())
      .addColumn('record', 'text', (column) => column.notNull())
      .modifyEnd(sql`strict`),
  ];
}
