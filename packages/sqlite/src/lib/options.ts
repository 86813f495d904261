import type { SessionStoreOptions, StateSchemas } from '@mcp-session/core';
import {
  checkOptions,
  MAX_TIMER_MS,
  oneOf,
  sessionStoreOptions,
  text,
  whole,
  type OptionNames,
} from '@mcp-session/core/backend';

/**
 * The part of a better-sqlite3 handle that this package uses: pass what `new Database(…)` returned.
 * Described by its shape, so that these types do not need `@types/better-sqlite3`.
 */
export interface SqliteDatabase {
  readonly open: boolean;
  readonly inTransaction: boolean;
  exec(source: string): unknown;
  pragma(source: string): unknown;
  prepare(source: string): object;
}

/** Where and how an SQLite backend stores its data. */
export interface SqliteBackendOptions {
  /**
   * The file. It is created if it does not exist; its folder must exist. `:memory:` keeps
   * everything in this process, for tests.
   *
   * Default: `mcp-sessions.db` in the working directory.
   */
  readonly path?: string;
  /**
   * A better-sqlite3 handle of your own instead of `path`. `close()` leaves it open. Journal mode,
   * `synchronous` and busy timeout stay as you set them. Keep no transaction and no iteration open
   * on it across an `await`.
   */
  readonly database?: SqliteDatabase;
  /**
   * When a write counts as done. `full`: when it is flushed to disk, so it survives a power cut.
   * `normal`: when the operating system has it. It survives a crash of the process, but a power cut
   * may undo the last writes; it is several times faster on most disks. Neither can damage the
   * file.
   *
   * Default: `full`.
   */
  readonly synchronous?: 'full' | 'normal';
  /**
   * How long a call waits while another process holds the lock, in milliseconds. Then it fails with
   * `STORE_BUSY`. The wait blocks the event loop.
   *
   * Default: 5 seconds (`5_000`).
   */
  readonly busyTimeoutMs?: number;
  /**
   * Prefix of the names of tables and indexes: letters, digits and underscores, no digit first.
   * Stores with different prefixes can share a file.
   *
   * Default: `mcp_`.
   */
  readonly tablePrefix?: string;
}

/** Options of `createSqliteStore`: those of the backend and those of every store. */
export interface SqliteStoreOptions<S extends StateSchemas = StateSchemas>
  extends SqliteBackendOptions, SessionStoreOptions<S> {}

/** Options with their defaults applied. */
export type ResolvedOptions = OwnDatabase | BorrowedDatabase;

/** A database that we open and close. */
export interface OwnDatabase {
  readonly tablePrefix: string;
  readonly database?: undefined;
  readonly path: string;
  readonly synchronous: 'full' | 'normal';
  readonly busyTimeoutMs: number;
}

/** A database that the caller opened. */
interface BorrowedDatabase {
  readonly tablePrefix: string;
  readonly database: SqliteDatabase;
}

/** Names of {@link SqliteBackendOptions}, each with names that are mistaken for it. */
export const backendOptions: OptionNames<SqliteBackendOptions> = {
  path: ['file', 'filename', 'fileName', 'filepath', 'url', 'location', 'storage'],
  database: ['db', 'handle', 'client', 'connection'],
  synchronous: ['sync'],
  busyTimeoutMs: ['timeout', 'busyTimeout'],
  tablePrefix: ['prefix'],
};

/** Names of {@link SqliteStoreOptions}. */
export const storeOptions: OptionNames = { ...backendOptions, ...sessionStoreOptions };

/**
 * @param names The options that are accepted.
 * @throws TypeError or RangeError that names the option.
 */
export function resolveOptions(options: SqliteBackendOptions, names: OptionNames): ResolvedOptions {
  checkOptions(options, names);
  const tablePrefix = text('tablePrefix', options.tablePrefix, 'mcp_');
  if (!/^[A-Za-z_][A-Za-z0-9_]{0,62}$/.test(tablePrefix)) {
    throw new RangeError(
      `Option tablePrefix is ${JSON.stringify(tablePrefix)}, not 1 to 63 letters, digits and underscores without a digit first`,
    );
  }
  if (/^sqlite_/i.test(tablePrefix)) {
    throw new RangeError(
      `Option tablePrefix is ${JSON.stringify(tablePrefix)}: SQLite keeps names with sqlite_ to itself`,
    );
  }
  if (options.database !== undefined) return { tablePrefix, database: borrowed(options.database, options) };

  const path = text('path', options.path, 'mcp-sessions.db');
  // better-sqlite3 trims spaces around a path.
  if (path.trim() !== path || path.includes('\0')) {
    throw new RangeError(`Option path is ${JSON.stringify(path)}, not the path of a file`);
  }
  return {
    tablePrefix,
    path,
    synchronous: oneOf('synchronous', options.synchronous, ['full', 'normal'], 'full'),
    busyTimeoutMs: whole('busyTimeoutMs', options.busyTimeoutMs, 5_000, 0, MAX_TIMER_MS),
  };
}

function borrowed(database: SqliteDatabase, options: SqliteBackendOptions): SqliteDatabase {
  for (const name of ['path', 'synchronous', 'busyTimeoutMs'] as const) {
    if (options[name] !== undefined) {
      throw new TypeError(`Option ${name} cannot be combined with option database: the handle is used as it is set up`);
    }
  }
  if (
    typeof database !== 'object' ||
    database === null ||
    typeof database.prepare !== 'function' ||
    !('open' in database)
  ) {
    throw new TypeError('Option database is not a better-sqlite3 database');
  }
  return database;
}
