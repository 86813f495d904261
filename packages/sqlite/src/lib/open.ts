import { constants } from 'node:fs';
import { access, stat } from 'node:fs/promises';
import { dirname, resolve } from 'node:path';
import { SessionError, type SessionErrorCode } from '@mcp-session/core';
import Database from 'better-sqlite3';
import { Connection } from './connection.ts';
import { translateError } from './errors.ts';
import { countDone } from './migrations.ts';
import type { ResolvedOptions } from './options.ts';

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
    const handle = options.database as Database.Database;
    return { connection: new Connection(handle, 'The given SQLite database', tablePrefix), owned: false };
  }

  checkRuntime(process.versions);
  const { path, busyTimeoutMs, synchronous } = options;
  const inMemory = path === ':memory:';
  const label = inMemory ? 'In-memory SQLite database' : `SQLite database ${JSON.stringify(resolve(path))}`;
  if (!inMemory) await checkPath(path, label);
  let handle: Database.Database | undefined;
  try {
    handle = new Database(path, { timeout: busyTimeoutMs });
    const connection = new Connection(handle, label, tablePrefix);
    // The first read, before anything is written: a file that is no database or has a newer schema is refused here.
    countDone(connection);
    if (!inMemory) switchToWal(connection);
    // better-sqlite3 is built to begin with `normal` in WAL mode.
    handle.pragma(`synchronous = ${synchronous}`);
    handle.pragma('foreign_keys = on');
    return { connection, owned: true };
  } catch (error) {
    handle?.close();
    throw translateError(error, { label });
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

// SQLite says CANTOPEN for each of these, or opens the file to read only. None of the checks may open the file: closing it again would drop the locks of every
// other connection of this process (sqlite.org/howtocorrupt.html, 2.2).
async function checkPath(path: string, label: string): Promise<void> {
  const folder = dirname(resolve(path));
  const refuse = (code: SessionErrorCode, reason: string) => (cause: unknown) => {
    throw new SessionError(code, `${label} cannot be opened: ${reason}`, { cause });
  };
  await access(folder).catch(refuse('STORE_UNAVAILABLE', 'its folder does not exist, create it first'));
  const file = await stat(path).catch(() => undefined);
  if (file === undefined) {
    await access(folder, constants.W_OK).catch(
      refuse('STORE_DENIED', 'this process may not create files in its folder'),
    );
    return;
  }
  if (file.isDirectory()) refuse('STORE_UNAVAILABLE', 'it is a folder, name a file in it')(undefined);
  await access(path, constants.R_OK).catch(refuse('STORE_DENIED', 'this process may not read it'));
  await access(path, constants.W_OK).catch(refuse('STORE_READ_ONLY', 'this process may not write it'));
}

function switchToWal({ handle, label }: Connection): void {
  for (let attempt = 1; handle.pragma('journal_mode', { simple: true }) !== 'wal'; attempt++) {
    try {
      const mode = handle.pragma('journal_mode = wal', { simple: true });
      if (mode !== 'wal')
        throw new SessionError(
          'STORE_UNAVAILABLE',
          `${label} is on a file system without the shared memory that WAL needs; put it on a local disk`,
        );
    } catch (error) {
      // The switch does not wait for its lock as other statements do, so that of several processes which open a new file at once all but
      // one can fail. An exclusive transaction does wait, until the busy timeout, which its own error then tells.
      const busy = error instanceof Database.SqliteError && error.code.startsWith('SQLITE_BUSY');
      if (!busy || attempt === WAL_ATTEMPTS) throw error;
      handle.exec('begin exclusive; rollback');
    }
  }
}
