import { describeBackend } from '@mcp-session/conformance';
import { createTestSchema } from '@mcp-session-tooling/databases';
import { createPostgresBackend, type PostgresBackendOptions } from '@mcp-session/postgres';
import { inject } from 'vitest';

function describePostgres(name: string, given: PostgresBackendOptions): void {
  describeBackend(name, async () => {
    const { url, schema, dispose } = await createTestSchema(inject('postgres').url);
    const options = { url, schema, ...given };
    return {
      backend: await createPostgresBackend(options),
      reopen: () => createPostgresBackend(options),
      secondProcess: { module: new URL('support/second-process.ts', import.meta.url), argument: options },
      dispose,
    };
  });
}

describePostgres('postgres', {});

// As behind an old pooler in transaction mode.
describePostgres('postgres, unprepared and without notifications', { prepare: false, notifications: 'off' });
