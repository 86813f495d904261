import { SessionError } from '@mcp-session/core';
import type { SchemaVersion } from '@mcp-session/core/backend';
import type { Compilable } from 'kysely';
import { Migrator, type Migration } from 'kysely/migration';
import type { Connection } from './connection.ts';
import { translateError } from './errors.ts';
import { checkColumns, columnsOf, foreignTables } from './migrate/foreign-tables.ts';
import { initial, lookAt, records } from './migrate/tables.ts';

const FIRST = '0001-initial';

/**
 * The migrations of this version, in order. Another name in the database comes from a newer
 * version.
 *
 * Each migration returns its statements, which run in one transaction without an `await` in
 * between. Running one twice must be harmless: another process may run it at the same time, and
 * this process may end before Kysely has recorded it.
 */
const migrations: Record<string, (connection: Connection) => readonly Compilable[]> = {
  [FIRST]: initial,
  '0002-look-at': lookAt,
  '0003-records': records,
};

/**
 * Creates or migrates the tables.
 *
 * @throws Like {@link countDone}.
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

/**
 * The statements of the migrations that the database does not have, without a write.
 *
 * @throws Like {@link countDone}.
 */
export function planMigration(connection: Connection): readonly string[] {
  const pending = Object.values(migrations).slice(countDone(connection));
  return pending.flatMap((make) => make(connection).map((statement) => statement.compile().sql));
}

/** Names of the indexes that the migrations of this version create. */
export function indexNames(connection: Connection): readonly string[] {
  const statements = initial(connection).map((statement) => statement.compile().sql);
  return statements.flatMap((text) => /^create (?:unique )?index (?:if not exists )?"([^"]+)"/.exec(text)?.[1] ?? []);
}

/**
 * Which schema the tables have, without a write: the number of migrations.
 *
 * @throws Like {@link countDone}.
 */
export function readSchemaVersion(connection: Connection): SchemaVersion {
  return { present: countDone(connection), needed: Object.keys(migrations).length };
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
 * @throws SessionError `STORE_SCHEMA_TOO_NEW`; `STORE_FAILED` if tables with the names of ours are
 * those of something else.
 */
export function countDone(connection: Connection): number {
  const done = namesOfDone(connection);
  const unknown = done.find((name) => !Object.hasOwn(migrations, name));
  // Every version of this package begins with the same migration.
  if (unknown !== undefined && !done.includes(FIRST)) throw foreignTables(connection);
  if (unknown !== undefined) {
    throw new SessionError(
      'STORE_SCHEMA_TOO_NEW',
      `Session store was migrated by a newer version of @mcp-session/sqlite (${JSON.stringify(unknown)}); nothing was changed, install that version`,
      { store: connection.store },
    );
  }
  if (done.length < Object.keys(migrations).length) checkColumns(connection);
  return done.length;
}

function namesOfDone(connection: Connection): readonly string[] {
  const { handle, tablePrefix } = connection;
  const table = `${tablePrefix}migrations`;
  const columns = columnsOf(handle, table);
  if (columns.length === 0) return [];
  if (!columns.includes('name')) throw foreignTables(connection);
  return handle.prepare<[], string>(`select name from "${table}"`).pluck().all();
}
