import { resolve } from 'node:path';
import { SessionError } from '@mcp-session/core';
import type Driver from 'better-sqlite3';
import type { Database } from 'better-sqlite3';
import { Connection } from './connection.ts';
import { DatabaseFile } from './client/database-file.ts';
import { translateError } from './errors.ts';
import { countDone } from './migrate.ts';
import type { ResolvedOptions } from './options.ts';
import { prepareFile } from './client/prepare-file.ts';

/** How often the switch to WAL is tried. Each try but the first has waited for the lock first. */
const WAL_ATTEMPTS = 100;

/** A connection, and whether closing it is ours to do. */
export interface Opened {
  readonly connection: Connection;
  readonly owned: boolean;
}

/** Opens the database or takes the one that was given. A database that cannot be used is left as it was. */
export async function open(options: ResolvedOptions): Promise<Opened> {
  const { tablePrefix } = options;
  if (options.database !== undefined) {
    // The option's type describes the part of a handle that callers must see, `resolveOptions` has checked that it is one.
    const handle = options.database as Database;
    const store = 'SQLite database that was given';
    return { connection: new Connection(handle, { store, tablePrefix, file: undefined }), owned: false };
  }

  checkRuntime(process.versions);
  const { busyTimeoutMs, synchronous } = options;
  const inMemory = options.path === ':memory:';
  const path = inMemory ? options.path : resolve(options.path);
  const store = inMemory ? 'SQLite database in memory' : `SQLite database ${JSON.stringify(path)}`;
  const driver = await loadDriver();
  if (!inMemory) await prepareFile(path, store);
  let handle: Database | undefined;
  try {
    handle = new driver(path, { timeout: busyTimeoutMs });
    const file = inMemory ? undefined : new DatabaseFile(path, handle, busyTimeoutMs, store);
    const connection = new Connection(handle, { store, tablePrefix, file });
    // The first read, before anything is written: a file that is no database or has a newer schema is refused here.
    countDone(connection);
    if (!inMemory) switchToWal(connection);
    // better-sqlite3 is built to begin with `normal` in WAL mode.
    handle.pragma(`synchronous = ${synchronous}`);
    handle.pragma('foreign_keys = on');
    return { connection, owned: true };
  } catch (error) {
    handle?.close();
    throw translateError(error, { store });
  }
}

/**
 * Refuses a Node that the driver would end: the binaries of better-sqlite3 13 are built for Node-API 10, which came with Node 22.14, and crash on an older one.
 *
 * @throws SessionError `STORE_UNAVAILABLE`
 */
export function checkRuntime({ node, napi }: Readonly<Record<string, string | undefined>>): void {
  if (Number(napi) < 10)
    throw new SessionError('STORE_UNAVAILABLE', `better-sqlite3 crashes on Node ${node}; use Node 22.14 or newer`);
}

/** The driver is the user's to install, and is needed by nobody who brings a handle. */
async function loadDriver(): Promise<typeof Driver> {
  try {
    return (await import('better-sqlite3')).default;
  } catch (cause) {
    throw new SessionError(
      'STORE_UNAVAILABLE',
      'The driver better-sqlite3 cannot be loaded; install it beside @mcp-session/sqlite: npm install better-sqlite3',
      { cause },
    );
  }
}

function switchToWal({ handle, store }: Connection): void {
  for (let attempt = 1; handle.pragma('journal_mode', { simple: true }) !== 'wal'; attempt++) {
    try {
      const mode = handle.pragma('journal_mode = wal', { simple: true });
      if (mode !== 'wal')
        throw new SessionError(
          'STORE_UNAVAILABLE',
          'Session store is on a file system without the shared memory that WAL needs; put its file on a local disk',
          { store },
        );
    } catch (error) {
      // The switch does not wait for its lock as other statements do, so that of several processes which open a new file at once all but
      // one can fail. An exclusive transaction does wait, until the busy timeout, which its own error then tells.
      if (!isBusy(error) || attempt === WAL_ATTEMPTS) throw error;
      handle.exec('begin exclusive; rollback');
    }
  }
}

function isBusy(error: unknown): boolean {
  return error instanceof Error && 'code' in error && String(error.code).startsWith('SQLITE_BUSY');
}
