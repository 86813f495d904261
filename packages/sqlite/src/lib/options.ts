import type { SessionStoreOptions, StateSchemas } from '@mcp-session/core';

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

/** @throws TypeError or RangeError that names the option. */
export function resolveOptions(options: SqliteBackendOptions): ResolvedOptions {
  const { database, tablePrefix: prefix } = options;
  const tablePrefix = text('tablePrefix', prefix, 'mcp_');
  if (!/^[A-Za-z_][A-Za-z0-9_]{0,62}$/.test(tablePrefix))
    throw new RangeError(
      `Option tablePrefix is ${JSON.stringify(tablePrefix)}, not 1 to 63 letters, digits and underscores without a digit first`,
    );
  if (/^sqlite_/i.test(tablePrefix))
    throw new RangeError(
      `Option tablePrefix is ${JSON.stringify(tablePrefix)}: SQLite keeps names with sqlite_ to itself`,
    );
  if (database !== undefined) return { tablePrefix, database: borrowed(database, options) };

  const path = text('path', options.path, 'mcp-sessions.db');
  // An empty path would be a temporary database that nobody can open again, and better-sqlite3 trims what surrounds a path.
  if (path.trim() !== path || path === '' || path.includes('\0'))
    throw new RangeError(`Option path is ${JSON.stringify(path)}, not the path of a file`);
  const synchronous = text('synchronous', options.synchronous, 'full');
  if (synchronous !== 'full' && synchronous !== 'normal')
    throw new RangeError(`Option synchronous is ${JSON.stringify(synchronous)}, not 'full' or 'normal'`);
  return { tablePrefix, path, synchronous, busyTimeoutMs: timeout(options.busyTimeoutMs ?? 5_000) };
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

function text(name: string, value: unknown, fallback: string): string {
  if (value === undefined) return fallback;
  if (typeof value !== 'string') throw new TypeError(`Option ${name} is not a string`);
  return value;
}

function timeout(value: unknown): number {
  if (typeof value !== 'number') throw new TypeError('Option busyTimeoutMs is not a number');
  if (!Number.isInteger(value) || value < 0 || value > 2_147_483_647)
    throw new RangeError(`Option busyTimeoutMs is ${value}, not a whole number from 0 to 2147483647`);
  return value;
}
