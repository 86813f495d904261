import { SessionError } from '@mcp-session/core';
import type Driver from 'better-sqlite3';
import type { Database } from 'better-sqlite3';
import { resolve } from 'node:path';
import { DatabaseFile } from './client/database-file.ts';
import { prepareFile } from './client/prepare-file.ts';
import { ProcessLock } from './client/process-lock.ts';
import { Connection } from './connection.ts';
import { translateError } from './errors.ts';
import { countDone } from './migrate.ts';
import type { OwnDatabase, ResolvedOptions } from './options.ts';

/** How often the switch to WAL is tried. Every retry has first waited for the lock. */
const WAL_ATTEMPTS = 100;

/**
 * Opens the database, or takes the caller's handle. A database that cannot be used is left as it
 * was.
 */
export async function connect(options: ResolvedOptions): Promise<Connection> {
  const { tablePrefix, database } = options;
  if (database === undefined) return open(options);
  // `SqliteDatabase` describes only a part of a handle. `resolveOptions` has checked that it is
  // one.
  const handle = database as Database;
  return new Connection(handle, { store: 'SQLite database of the caller', tablePrefix, owned: false });
}

async function open({ tablePrefix, path: given, busyTimeoutMs, synchronous }: OwnDatabase): Promise<Connection> {
  checkRuntime(process.versions);
  const inMemory = given === ':memory:';
  const path = inMemory ? given : resolve(given);
  const store = inMemory ? 'SQLite database in memory' : `SQLite database ${JSON.stringify(path)}`;
  const driver = await loadDriver();
  if (!inMemory) await prepareFile(path, store);
  let handle: Database | undefined;
  try {
    handle = new driver(path, { timeout: busyTimeoutMs });
    const file = inMemory ? undefined : new DatabaseFile(path, handle, busyTimeoutMs, store);
    const lock = inMemory ? undefined : new ProcessLock(path, driver);
    const connection = new Connection(handle, { store, tablePrefix, owned: true, file, lock });
    // The first read comes before any write, so a file that is no database, has a newer schema or
    // has tables of something else is refused unchanged.
    countDone(connection);
    if (!inMemory) switchToWal(connection);
    // better-sqlite3 is built with `normal` as the default in WAL mode.
    handle.pragma(`synchronous = ${synchronous}`);
    handle.pragma('foreign_keys = on');
    return connection;
  } catch (error) {
    handle?.close();
    throw translateError(error, { store });
  }
}

/**
 * Refuses a runtime that cannot load the driver, and a version of Node that the driver would crash:
 * the binaries of better-sqlite3 13 need Node-API 10, which came with Node 22.14.
 *
 * @throws SessionError `STORE_UNAVAILABLE`
 */
export function checkRuntime(
  { node, napi }: Readonly<Record<string, string | undefined>>,
  userAgent: string | undefined = globalThis.navigator?.userAgent,
): void {
  if (userAgent === 'Cloudflare-Workers') {
    throw new SessionError(
      'STORE_UNAVAILABLE',
      'better-sqlite3 does not run on Cloudflare Workers; use PostgreSQL or DynamoDB',
    );
  }
  if (Number(napi) < 10) {
    throw new SessionError('STORE_UNAVAILABLE', `better-sqlite3 crashes on Node ${node}; use Node 22.14 or newer`);
  }
}

/** Loads the driver, a peer dependency that callers with a handle of their own do not need. */
async function loadDriver(): Promise<typeof Driver> {
  let driver: typeof Driver;
  try {
    driver = (await import('better-sqlite3')).default;
  } catch (cause) {
    throw new SessionError(
      'STORE_UNAVAILABLE',
      'The driver better-sqlite3 cannot be loaded; run npm install better-sqlite3, and keep the package out of bundles',
      { cause },
    );
  }
  try {
    // The driver loads its native code with its first database.
    new driver(':memory:').close();
  } catch (cause) {
    throw new SessionError(
      'STORE_UNAVAILABLE',
      'The native code of better-sqlite3 cannot be loaded here; run npm install better-sqlite3@13 on this platform, and keep the package out of bundles',
      { cause },
    );
  }
  return driver;
}

function switchToWal({ handle, store }: Connection): void {
  for (let attempt = 1; handle.pragma('journal_mode', { simple: true }) !== 'wal'; attempt++) {
    try {
      const mode = handle.pragma('journal_mode = wal', { simple: true });
      if (mode !== 'wal') {
        throw new SessionError(
          'STORE_UNAVAILABLE',
          'Session store is on a file system without the shared memory that WAL needs; put its file on a local disk',
          { store },
        );
      }
    } catch (error) {
      // Unlike other statements, the switch does not wait for its lock: of several processes that
      // open a new file at once, all but one can fail. An exclusive transaction does wait, and
      // fails with its own error when the busy timeout runs out.
      if (!isBusy(error) || attempt === WAL_ATTEMPTS) throw error;
      handle.exec('begin exclusive; rollback');
    }
  }
}

function isBusy(error: unknown): boolean {
  return error instanceof Error && 'code' in error && String(error.code).startsWith('SQLITE_BUSY');
}
