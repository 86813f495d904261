import { describeBackend } from '@mcp-session/conformance';
import { createTestSchema } from '@mcp-session-tooling/databases';
import { createPostgresBackend } from '@mcp-session/postgres';
import { inject } from 'vitest';

describeBackend('postgres', async () => {
  const { url, schema, dispose } = await createTestSchema(inject('postgres').url);
  const options = { url, schema };
  return {
    backend: await createPostgresBackend(options),
    reopen: () => createPostgresBackend(options),
    secondProcess: { module: new URL('support/second-process.ts', import.meta.url), argument: options },
    dispose,
  };
});
