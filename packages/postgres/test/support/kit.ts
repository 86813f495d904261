import { describeBackend } from '@mcp-session/conformance/vitest';
import { createTestSchema } from '@mcp-session-tooling/databases';
import { createPostgresBackend, type PostgresBackendOptions } from '@mcp-session/postgres';
import { inject } from 'vitest';
import { rowsOf } from './rows.ts';

/** Runs the kit on schemas of its own, with a backend that has these options besides. */
export function describePostgres(name: string, given: PostgresBackendOptions): void {
  describeBackend(name, async () => {
    const { url, schema, dispose } = await createTestSchema(inject('postgres').url);
    const options = { url, schema, ...given };
    return {
      backend: await createPostgresBackend(options),
      reopen: () => createPostgresBackend(options),
      secondProcess: { module: new URL('second-process.ts', import.meta.url), argument: options },
      rows: () => rowsOf(url, schema),
      dispose,
    };
  });
}
