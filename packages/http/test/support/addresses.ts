import { createTestSchema, openDatabase } from '@mcp-session-tooling/databases';
import { onTestFinished } from 'vitest';
import type { StoreAddress } from './chaos-store.ts';
import { newFile } from './nodes.ts';

/** Empty databases that processes share, by the name of the backend; gone when the test is. */
export const addresses: readonly (readonly [name: string, open: () => Promise<StoreAddress>])[] = [
  ['SQLite', async () => ({ kind: 'sqlite', path: await newFile() })],
  [
    'PostgreSQL',
    async () => {
      const server = await openDatabase('postgres');
      onTestFinished(() => server.close());
      const { url, schema } = await createTestSchema(server.url);
      return { kind: 'postgres', url, schema };
    },
  ],
];
