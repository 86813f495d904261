import { closeSync, constants, openSync, readlinkSync, statSync } from 'node:fs';
import { access, stat } from 'node:fs/promises';
import { dirname, resolve } from 'node:path';
import { SessionError, type SessionErrorCode } from '@mcp-session/core';

/**
 * Creates the file if it does not exist, readable and writable by its owner only, and checks that
 * the process may use it.
 *
 * SQLite would create it by the umask, which usually lets everyone read it. The two files beside it
 * get the mode of the file itself (`findCreateFileMode` in os_unix.c).
 *
 * @throws SessionError that names the reason. SQLite says CANTOPEN for every reason, or fails at
 * the first write.
 */
export async function prepareFile(path: string, store: string): Promise<void> {
  const folder = dirname(path);
  const refuse = (code: SessionErrorCode, reason: string) => (cause: unknown) => {
    throw new SessionError(code, `Session store cannot be opened: ${reason}`, { cause, store });
  };
  await access(folder).catch(refuse('STORE_UNAVAILABLE', 'the folder of its file does not exist, create it first'));
  const file = await stat(path).catch(() => undefined);
  if (file === undefined) {
    await access(folder, constants.W_OK).catch(
      refuse('STORE_DENIED', 'this process may not create files in the folder of its file'),
    );
    try {
      create(path);
    } catch (error) {
      refuse('STORE_UNAVAILABLE', 'its file cannot be created')(error);
    }
    return;
  }
  // None of these checks opens the file: closing it would drop the locks of all other connections
  // of this process (sqlite.org/howtocorrupt.html, 2.2).
  if (file.isDirectory()) refuse('STORE_UNAVAILABLE', 'its path is that of a folder, name a file in it')(undefined);
  await access(path, constants.R_OK).catch(
    refuse('STORE_DENIED', 'this process may not read its file; give its user the right to read and write it'),
  );
  await access(path, constants.W_OK).catch(
    refuse('STORE_READ_ONLY', 'this process may not write its file; give its user the right to write it'),
  );
}

function create(path: string): void {
  try {
    // Synchronous, so that no other code of this process opens the file in between and loses its
    // locks.
    closeSync(openSync(path, 'wx', 0o600));
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
    // A symbolic link to a missing file: SQLite would create that file.
    if (statSync(path, { throwIfNoEntry: false }) === undefined) create(resolve(dirname(path), readlinkSync(path)));
  }
}
