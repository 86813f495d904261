import { closeSync, constants, openSync, readlinkSync, statSync } from 'node:fs';
import { access, stat } from 'node:fs/promises';
import { dirname, resolve } from 'node:path';
import { SessionError, type SessionErrorCode } from '@mcp-session/core';

/**
 * Sees that the file is there and can be used: makes it where it is not, readable and writable by its owner alone.
 *
 * SQLite would make it as the umask says, which in most places lets everybody read it. The two files beside it get the mode of the file itself
 * (`findCreateFileMode` in os_unix.c).
 *
 * @throws SessionError that says what SQLite calls CANTOPEN whatever it is, or finds out at the first write.
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
  // None of these opens the file: closing it again would drop the locks of every other connection of this process (sqlite.org/howtocorrupt.html, 2.2).
  if (file.isDirectory()) refuse('STORE_UNAVAILABLE', 'its path is that of a folder, name a file in it')(undefined);
  await access(path, constants.R_OK).catch(refuse('STORE_DENIED', 'this process may not read its file'));
  await access(path, constants.W_OK).catch(refuse('STORE_READ_ONLY', 'this process may not write its file'));
}

function create(path: string): void {
  try {
    // In one go, so that nothing of this process opens the new file in between and loses its locks.
    closeSync(openSync(path, 'wx', 0o600));
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
    // A link to a file that is not there: SQLite would make that one.
    if (statSync(path, { throwIfNoEntry: false }) === undefined) create(resolve(dirname(path), readlinkSync(path)));
  }
}
