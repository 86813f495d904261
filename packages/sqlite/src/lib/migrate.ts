import { SessionError } from '@mcp-session/core';
import type { SchemaVersion } from '@mcp-session/core/backend';
import type { Compilable } from 'kysely';
import { Migrator, type Migration } from 'kysely/migration';
import type { Connection } from './connection.ts';
import { translateError } from './errors.ts';
import { initial, lookAt, records } from './migrate/tables.ts';

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
  '0003-records': records,
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

/**
 * The statements of the migrations that the database does not have, without a write.
 *
 * @throws SessionError `STORE_SCHEMA_TOO_NEW`.
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
 * @throws SessionError `STORE_SCHEMA_TOO_NEW`.
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
 * @throws SessionError `STORE_SCHEMA_TOO_NEW`.
 */
export function countDone({ handle, store, tablePrefix }: Connection): number {
  const table = `${tablePrefix}migrations`;
  const exists = handle.prepare(`select 1 from sqlite_schema where type = 'table' and name = ?`).get(table);
  if (exists === undefined) return 0;
  const done = handle.prepare<[], string>(`select name from "${table}"`).pluck().all();
  const unknown = done.find((name) => !Object.hasOwn(migrations, name));
  if (unknown !== undefined) {
    throw new SessionError(
      'STORE_SCHEMA_TOO_NEW',
      `Session store was migrated by a newer version of @mcp-session/sqlite (${JSON.stringify(unknown)}); nothing was changed, install that version`,
      { store },
    );
  }
  return done.length;
}
