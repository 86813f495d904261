import { createTestSchema, type DatabaseServer, openDatabase } from '@mcp-session-tooling/databases';
import { afterAll, onTestFinished } from 'vitest';
import type { StoreAddress } from './chaos-store.ts';
import { newFile } from './nodes.ts';

let postgres: Promise<DatabaseServer> | undefined;

afterAll(async () => {
  await (await postgres)?.close();
});

/** Empty databases that processes share, by the name of the backend; gone when the test is. */
export const addresses: readonly (readonly [name: string, open: () => Promise<StoreAddress>])[] = [
  ['SQLite', async () => ({ kind: 'sqlite', path: await newFile() })],
  [
    'PostgreSQL',
    async () => {
      postgres ??= openDatabase('postgres');
      const { url, schema, dispose } = await createTestSchema((await postgres).url);
      onTestFinished(dispose);
      return { kind: 'postgres', url, schema };
    },
  ],
];
