import { SessionError } from '@mcp-session/core';
import { sql, type Kysely } from 'kysely';
import { Migrator, type Migration } from 'kysely/migration';
import type { Connection } from './connection.ts';
import { translateError } from './errors.ts';
import { prefixTables } from './schema.ts';

/** Names of the migrations of this version, in order. A name that is not here comes from a newer one. */
const names = ['0001-initial'] as const;

/**
 * Makes the tables or brings them up to date.
 *
 * @throws SessionError `STORE_SCHEMA_TOO_NEW`.
 */
export async function migrate(connection: Connection): Promise<void> {
  if (isUpToDate(connection)) return;
  const { handle, queries, tablePrefix } = connection;
  // Kysely takes no lock on SQLite. Here the write lock is taken first: other processes wait for it and then find nothing to do.
  handle.exec('begin immediate');
  try {
    if (!isUpToDate(connection)) {
      const migrator = new Migrator({
        db: queries.withoutPlugins(),
        provider: { getMigrations: async () => migrations(tablePrefix) },
        migrationTableName: `${tablePrefix}migrations`,
        migrationLockTableName: `${tablePrefix}migrations_lock`,
      });
      const { error } = await migrator.migrateToLatest();
      if (error !== undefined) throw translateError(error, connection);
    }
    handle.exec('commit');
  } catch (error) {
    if (handle.inTransaction) handle.exec('rollback');
    throw error;
  }
}

/**
 * Looks whether all migrations have been run, without a lock and without a write.
 *
 * @throws SessionError `STORE_SCHEMA_TOO_NEW`.
 */
export function isUpToDate({ handle, label, tablePrefix }: Connection): boolean {
  const table = `${tablePrefix}migrations`;
  const exists = handle.prepare(`select 1 from sqlite_schema where type = 'table' and name = ?`).get(table);
  if (exists === undefined) return false;
  const done = handle.prepare<[], string>(`select name from "${table}"`).pluck().all();
  const unknown = done.find((name) => !names.some((known) => known === name));
  if (unknown !== undefined)
    throw new SessionError(
      'STORE_SCHEMA_TOO_NEW',
      `${label} was migrated by a newer version of @mcp-session/sqlite (${JSON.stringify(unknown)}); nothing was changed, install that version`,
    );
  return done.length === names.length;
}

function migrations(prefix: string): Record<(typeof names)[number], Migration> {
  return { '0001-initial': { up: (database) => initial(database.withPlugin(prefixTables(prefix)), prefix) } };
}

async function initial(database: Kysely<unknown>, prefix: string): Promise<void> {
  const { schema } = database;

  await schema
    .createTable('sessions')
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
    .modifyEnd(sql`strict`)
    .execute();

  // An append changes none of these indexes.
  const sessionIndex = (name: string) => schema.createIndex(`${prefix}sessions_by_${name}`).on('sessions');
  await sessionIndex('kind').columns(['kind', 'id']).where(sql.ref('ended_at'), 'is', null).execute();
  await sessionIndex('principal').columns(['kind', 'principal', 'id']).where(sql.ref('ended_at'), 'is', null).execute();
  await sessionIndex('sweep').column('sweep_at').execute();

  const ownedTable = (name: string) =>
    schema.createTable(name).addColumn('session_pk', 'integer', (column) => column.notNull().references('sessions.pk'));

  await ownedTable('state')
    .addColumn('key', 'text', (column) => column.notNull())
    .addColumn('version', 'integer', (column) => column.notNull())
    .addColumn('bytes', 'integer', (column) => column.notNull())
    .addColumn('value', 'text', (column) => column.notNull())
    .addPrimaryKeyConstraint('state_key', ['session_pk', 'key'])
    .modifyEnd(sql`strict, without rowid`)
    .execute();

  // With a rowid, unlike the other tables: whatever the session, a new event goes to the end of the table and only the two narrow indexes
  // are written in their middle. Stored by session, each append to one of many sessions would write and split pages full of messages.
  await ownedTable('events')
    .addColumn('seq', 'integer', (column) => column.notNull())
    .addColumn('stream_id', 'text', (column) => column.notNull())
    .addColumn('created_at', 'integer', (column) => column.notNull())
    .addColumn('bytes', 'integer', (column) => column.notNull())
    .addColumn('message', 'text', (column) => column.notNull())
    .addPrimaryKeyConstraint('event_key', ['session_pk', 'seq'])
    .modifyEnd(sql`strict`)
    .execute();
  await schema
    .createIndex(`${prefix}events_by_stream`)
    .unique()
    .on('events')
    .columns(['session_pk', 'stream_id', 'seq'])
    .execute();

  await ownedTable('tokens')
    .addColumn('token', 'text', (column) => column.notNull())
    .addColumn('first_seq', 'integer', (column) => column.notNull())
    .addColumn('last_seq', 'integer', (column) => column.notNull())
    .addPrimaryKeyConstraint('token_key', ['session_pk', 'token'])
    .modifyEnd(sql`strict, without rowid`)
    .execute();

  await ownedTable('trims')
    .addColumn('stream_id', 'text', (column) => column.notNull())
    .addColumn('trimmed_seq', 'integer', (column) => column.notNull())
    .addPrimaryKeyConstraint('trim_key', ['session_pk', 'stream_id'])
    .modifyEnd(sql`strict, without rowid`)
    .execute();
  await schema.createIndex(`${prefix}trims_by_seq`).on('trims').columns(['session_pk', 'trimmed_seq']).execute();
}
