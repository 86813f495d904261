import { createSqliteBackend } from '@mcp-session/sqlite';
import Database from 'better-sqlite3';
import { describe, expect, it } from 'vitest';
import { translateError } from '../src/lib/errors.ts';
import { newFile } from './support/files.ts';

describe('what an error says', () => {
  // Constructed, because no input of ours makes SQLite say these. better-sqlite3 throws them as
  // they are here.
  it.each([
    [
      'SQLITE_MISMATCH',
      'datatype mismatch: "secret"',
      'Session store failed with SQLITE_MISMATCH; the cause of this error says more',
    ],
    [
      'SQLITE_CANTOPEN',
      'unable to open /srv/secret.db',
      expect.stringMatching(/^Session store cannot be opened; check /),
    ],
    [undefined, 'secret', 'Session store failed; the cause of this error says more'],
  ])('%s: no word of the driver in the message, which tools pass on to clients', (code, words, message) => {
    const cause = code === undefined ? new Error(words) : new Database.SqliteError(words, code);
    const error = translateError(cause, { store: 'SQLite database "/srv/secret.db"' });
    expect(error).toMatchObject({ message, cause, store: 'SQLite database "/srv/secret.db"', scope: 'store' });
    expect(error.message).not.toContain('secret');
  });

  it('a failed call names the store in the error, but not in its message', async () => {
    const path = await newFile();
    const backend = await createSqliteBackend({ path });
    await backend.migrate();
    await backend.close();
    const error: unknown = await backend.touchSession('a', 2, 1).catch((reason: unknown) => reason);
    expect(error).toMatchObject({ code: 'STORE_CLOSED', message: 'Session store is closed' });
    expect(error).toMatchObject({ store: `SQLite database ${JSON.stringify(path)}` });
  });
});
