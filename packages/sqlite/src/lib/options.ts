import type { SessionStoreOptions, StateSchemas } from '@mcp-session/core';
import {
  checkOptions,
  MAX_TIMER_MS,
  oneOf,
  refuseUndefined,
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
   * everything in this process, for tests. What begins like an address, such as `sqlite:x.db`, is
   * refused: write `./` before it if the file has that name.
   *
   * Default: `mcp-sessions.db` in the working directory. `undefined` is refused as a mistake.
   */
  readonly path?: string;
  /**
   * A better-sqlite3 handle of your own instead of `path`. `close()` leaves it open. Journal mode,
   * `synchronous` and busy timeout stay as you set them. Keep no transaction and no iteration open
   * on it across an `await`.
   *
   * Default: none, `path` is opened. `undefined` is refused as a mistake.
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
   * Default: `mcp_`. `undefined` is refused as a mistake.
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

/** The path of a database in memory. */
const MEMORY = ':memory:';

/** Names of {@link SqliteBackendOptions}, each with names that are mistaken for it. */
export const backendOptions: OptionNames<SqliteBackendOptions> = {
  path: ['file', 'filename', 'fileName', 'filepath', 'url', 'location', 'storage', 'databaseUrl', 'databasePath'],
  database: ['db', 'handle', 'client', 'connection', 'sqlite'],
  synchronous: ['sync'],
  busyTimeoutMs: ['timeout', 'busyTimeout'],
  tablePrefix: ['prefix'],
};

/** What the options that choose a place stand for if they are left out. */
const PLACES = { path: 'mcp-sessions.db', database: 'path', tablePrefix: 'mcp_' };

const IN_MEMORY = `set path to ${MEMORY}`;
const BY_THE_DRIVER = 'open the database with better-sqlite3 and give it as database';

/** What to do instead of giving an option that better-sqlite3 or another library has. */
const INSTEAD = {
  memory: IN_MEMORY,
  inMemory: IN_MEMORY,
  readonly: BY_THE_DRIVER,
  fileMustExist: BY_THE_DRIVER,
  nativeBinding: BY_THE_DRIVER,
  verbose: BY_THE_DRIVER,
};

/** Names of {@link SqliteStoreOptions}. */
export const storeOptions: OptionNames = { ...backendOptions, ...sessionStoreOptions };

/**
 * @param names The options that are accepted.
 * @throws TypeError or RangeError that names the option.
 */
export function resolveOptions(options: SqliteBackendOptions, names: OptionNames): ResolvedOptions {
  checkOptions(options, names, undefined, INSTEAD);
  refuseUndefined(options, PLACES);
  const tablePrefix = text('tablePrefix', options.tablePrefix, PLACES.tablePrefix);
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

  return {
    tablePrefix,
    path: checkPath(text('path', options.path, PLACES.path)),
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
    // A database of node:sqlite has a method `open`, and no `pragma`.
    typeof database.pragma !== 'function' ||
    typeof database.open !== 'boolean'
  ) {
    throw new TypeError('Option database is not a database of better-sqlite3');
  }
  return database;
}

/** @throws RangeError for what would silently make a file with the name of an address. */
function checkPath(path: string): string {
  // better-sqlite3 trims spaces around a path.
  if (path.trim() !== path || path.includes('\0')) {
    throw new RangeError(`Option path is ${JSON.stringify(path)}, not the path of a file`);
  }
  if (path === MEMORY) return path;
  if (path.toLowerCase() === MEMORY) throw new RangeError(`Option path is ${path}; write it in lower case, ${MEMORY}`);
  // A drive of Windows has one letter.
  if (!/^[a-z][a-z\d+.-]+:/i.test(path)) return path;
  // Any other address may hold a password.
  const named = /^(?:sqlite3?|file):(?:\/\/)?([^:?#%]+)$/i.exec(path)?.[1];
  const meant = named ?? (/^(?:memory:|(?:sqlite3?|file):.*memory)/i.test(path) ? MEMORY : undefined);
  throw new RangeError(`Option path is an address; give the path of a file${meant === undefined ? '' : `, ${meant}`}`);
}
