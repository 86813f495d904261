// Tries to open a store and to write, as a user whom file modes bind: root, as in a container, may
// do anything.
import { createSqliteStore } from '@mcp-session/sqlite';
import { SessionError } from '@mcp-session/core';
import Database from 'better-sqlite3';

const [path = ''] = process.argv.slice(2);
// Loads the native part while everything can still be read.
new Database(':memory:').close();
if (process.getuid?.() === 0) {
  process.setgid?.(65_534);
  process.setuid?.(65_534);
}
const outcome = await createSqliteStore({ path, sweep: false }).then(
  async (store) => {
    await store.close();
    return 'opened';
  },
  (error: unknown) => (error instanceof SessionError ? `${error.code} ${error.message}` : String(error)),
);
process.stdout.write(`${outcome}\n`);
