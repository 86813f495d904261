import { SessionError } from '@mcp-session/core';
import { sql, type Compilable } from 'kysely';
import { Migrator, type Migration } from 'kysely/migration';
import type { Connection } from './connection.ts';
import { translateError } from './errors.ts';

/**
 * The migrations of this version, in order. Another name in the database comes from a newer
 * version.
 *
 * Each migration returns its statements, which run in one transaction without an `await` in
 * between. Running one twice must be harmless: another process may run it at the same time, and
 * this process may end before Kysely has recorded it.
 */
const migrations: Record<string, (connection: Connection) => readonly Compilable[]> = {
  '0001-initial': initial,
  '0002-look-at': lookAt,
};

/**
 * Creates or migrates the tables.
 *
 * @throws SessionError `STORE_SCHEMA_TOO_NEW`.
 */
export async function migrate(connection: Connection): Promise<void> {
  const { queries, tablePrefix } = connection;
  const migrator = new Migrator({
    db: queries.withoutPlugins(),
    provider: { getMigrations: async () => toKysely(connection) },
    migrationTableName: `${tablePrefix}migrations`,
    migrationLockTableName: `${tablePrefix}migrations_lock`,
  });
  // Reads in a transaction, so that it refuses to run inside one of the handle's owner.
  for (let done = connection.read(() => countDone(connection)); done < Object.keys(migrations).length;) {
    const { error } = await migrator.migrateToLatest();
    const before = done;
    done = countDone(connection);
    // Kysely takes no lock on SQLite, and a lock of ours across its awaits would block all other
    // work of this thread on the file. So two processes may run the same migration, and the second
    // fails to record it. That is no error as long as the count grows.
    if (error !== undefined && done === before) throw translateError(error, connection);
  }
}

function toKysely(connection: Connection): Record<string, Migration> {
  const { handle } = connection;
  return Object.fromEntries(
    Object.entries(migrations).map(([name, make]) => {
      const run = () => {
        for (const statement of make(connection)) handle.exec(statement.compile().sql);
      };
      return [name, { up: async () => connection.write(run) }];
    }),
  );
}

/**
 * Counts the migrations that the database has, without a lock or a write.
 *
 * @throws SessionError `STORE_SCHEMA_TOO_NEW`.
 */
export function countDone({ handle, store, tablePrefix }: Connection): number {
  const table = `${tablePrefix}migrations`;
  const exists = handle.prepare(`select 1 from sqlite_schema where type = 'table' and name = ?`).get(table);
  if (exists === undefined) return 0;
  const done = handle.prepare<[], string>(`select name from "${table}"`).pluck().all();
  const unknown = done.find((name) => !Object.hasOwn(migrations, name));
  if (unknown !== undefined)
    throw new SessionError(
      'STORE_SCHEMA_TOO_NEW',
      `Session store was migrated by a newer version of @mcp-session/sqlite (${JSON.stringify(unknown)}); nothing was changed, install that version`,
      { store },
    );
  return done.length;
}

function initial({ queries: { schema }, tablePrefix: prefix }: Connection): readonly Compilable[] {
  const createIndex = (name: string) => schema.createIndex(`${prefix}${name}`).ifNotExists();
  const createOwned = (name: string) =>
    schema
      .createTable(name)
      .ifNotExists()
      .addColumn('session_pk', 'integer', (column) => column.notNull().references('sessions.pk'));

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

function lookAt({ handle, queries, tablePrefix }: Connection): readonly Compilable[] {
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
