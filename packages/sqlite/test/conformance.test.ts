import { join } from 'node:path';
import { describeBackend } from '@mcp-session/conformance/vitest';
import { createSqliteBackend } from '@mcp-session/sqlite';
import { makeFolder } from './support/files.ts';
import { rowsOf } from './support/rows.ts';

describeBackend('sqlite, in memory', async () => ({
  backend: await createSqliteBackend({ path: ':memory:' }),
  reopen: () => createSqliteBackend({ path: ':memory:' }),
}));

describeBackend('sqlite, in a file', async () => {
  const folder = await makeFolder();
  const path = join(folder.path, 'sessions.db');
  return {
    backend: await createSqliteBackend({ path }),
    reopen: () => createSqliteBackend({ path }),
    secondProcess: { module: new URL('support/second-process.ts', import.meta.url), argument: path },
    rows: async () => rowsOf(path),
    dispose: () => folder.remove(),
  };
});
