import type { SessionStoreOptions, StateSchemas } from '@mcp-session/core';
import { checkOptions, oneOf, sessionStoreOptions, text, whole, type OptionNames } from '@mcp-session/core/backend';

/**
 * What is used of a better-sqlite3 handle. It is described here by its shape, so that these types need no `@types/better-sqlite3`; pass what
 * `new Database(…)` returned.
 */
export interface SqliteDatabase {
  readonly open: boolean;
  readonly inTransaction: boolean;
  exec(source: string): unknown;
  pragma(source: string): unknown;
  prepare(source: string): object;
}

/** Where an SQLite backend keeps its data, and how. */
export interface SqliteBackendOptions {
  /**
   * The file, made if it does not exist; its folder must. `:memory:` keeps everything in this process, for tests.
   *
   * Default: `mcp-sessions.db` in the working directory.
   */
  readonly path?: string;
  /**
   * A better-sqlite3 handle of your own in place of `path`. It is left open by `close()` and used as it is set up: journal mode, `synchronous` and
   * busy timeout are yours. Keep no transaction and no iteration open on it across an `await`.
   */
  readonly database?: SqliteDatabase;
  /**
   * When a write counts as done. `full`: once it is flushed to the disk, so that it survives a power cut. `normal`: once the operating system has it, which
   * survives the end of the process but a power cut may undo the last writes; several times faster on most disks. Neither can damage the file.
   *
   * Default: `full`.
   */
  readonly synchronous?: 'full' | 'normal';
  /**
   * How long a call waits while another process holds the lock, in milliseconds, before it fails with `STORE_BUSY`. The wait blocks the event loop.
   *
   * Default: 5 seconds (`5_000`).
   */
  readonly busyTimeoutMs?: number;
  /**
   * What the names of tables and indexes begin with: letters, digits and underscores, no digit first. Stores with different prefixes share a file without
   * seeing each other.
   *
   * Default: `mcp_`.
   */
  readonly tablePrefix?: string;
}

/** Options of `createSqliteStore`: those of the backend and those of every store. */
export interface SqliteStoreOptions<S extends StateSchemas = StateSchemas>
  extends SqliteBackendOptions, SessionStoreOptions<S> {}

/** Options with their defaults applied. */
export type ResolvedOptions = { readonly tablePrefix: string } & (
  | { readonly database: SqliteDatabase }
  | {
      readonly database?: undefined;
      readonly path: string;
      readonly synchronous: 'full' | 'normal';
      readonly busyTimeoutMs: number;
    }
);

const OPTIONS: OptionNames<SqliteStoreOptions> = {
  path: ['file', 'filename', 'fileName', 'filepath', 'url', 'location', 'storage'],
  database: ['db', 'handle', 'client', 'connection'],
  synchronous: ['sync'],
  busyTimeoutMs: ['timeout', 'busyTimeout'],
  tablePrefix: ['prefix'],
  ...sessionStoreOptions,
};

/** @throws TypeError or RangeError that names the option. */
export function resolveOptions(options: SqliteBackendOptions): ResolvedOptions {
  checkOptions(options, OPTIONS);
  const tablePrefix = text('tablePrefix', options.tablePrefix, 'mcp_');
  if (!/^[A-Za-z_][A-Za-z0-9_]{0,62}$/.test(tablePrefix))
    throw new RangeError(
      `Option tablePrefix is ${JSON.stringify(tablePrefix)}, not 1 to 63 letters, digits and underscores without a digit first`,
    );
  if (/^sqlite_/i.test(tablePrefix))
    throw new RangeError(
      `Option tablePrefix is ${JSON.stringify(tablePrefix)}: SQLite keeps names with sqlite_ to itself`,
    );
  if (options.database !== undefined) return { tablePrefix, database: borrowed(options.database, options) };

  const path = text('path', options.path, 'mcp-sessions.db');
  // better-sqlite3 trims what surrounds a path.
  if (path.trim() !== path || path.includes('\0'))
    throw new RangeError(`Option path is ${JSON.stringify(path)}, not the path of a file`);
  return {
    tablePrefix,
    path,
    synchronous: oneOf('synchronous', options.synchronous, ['full', 'normal'], 'full'),
    busyTimeoutMs: whole('busyTimeoutMs', options.busyTimeoutMs, 5_000, 0, 2_147_483_647),
  };
}

function borrowed(database: SqliteDatabase, options: SqliteBackendOptions): SqliteDatabase {
  for (const name of ['path', 'synchronous', 'busyTimeoutMs'] as const) {
    if (options[name] !== undefined)
      throw new TypeError(`Option ${name} cannot be combined with option database: the handle is used as it is set up`);
  }
  if (
    typeof database !== 'object' ||
    database === null ||
    typeof database.prepare !== 'function' ||
    !('open' in database)
  )
    throw new TypeError('Option database is not a better-sqlite3 database');
  return database;
}
