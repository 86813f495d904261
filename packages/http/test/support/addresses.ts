import {
  createTestSchema,
  createTestTables,
  type DatabaseName,
  type DatabaseServer,
  openDatabase,
} from '@mcp-session-tooling/databases';
import { beforeAll, onTestFinished } from 'vitest';
import type { StoreAddress } from './chaos-store.ts';
import { newFile } from './nodes.ts';

export type NewAddress = readonly [name: string, open: () => Promise<StoreAddress>];

// One server for all files of this process. It ends with the process.
const servers = new Map<DatabaseName, Promise<DatabaseServer>>();

/** How long a server may take to begin, in milliseconds: it is no part of the first test's time. */
const BEGIN_MS = 120_000;

beforeAll(async () => void (await urlOf('postgres')), BEGIN_MS);

async function urlOf(database: DatabaseName): Promise<string> {
  const server = servers.get(database) ?? openDatabase(database);
  servers.set(database, server);
  return (await server).url;
}

/** Empty databases that processes share, by the name of the backend; gone when the test is. */
export const addresses: readonly NewAddress[] = [
  ['SQLite', async () => ({ kind: 'sqlite', path: await newFile() })],
  [
    'PostgreSQL',
    async () => {
      const { url, schema, dispose } = await createTestSchema(await urlOf('postgres'));
      onTestFinished(dispose);
      return { kind: 'postgres', url, schema };
    },
  ],
];

/** The same for each durable backend. */
export const allAddresses: readonly NewAddress[] = [
  ...addresses,
  [
    'DynamoDB',
    async () => {
      const url = await urlOf('dynamodb');
      const { prefix, dispose } = createTestTables(url);
      onTestFinished(dispose);
      return { kind: 'dynamodb', url, prefix };
    },
  ],
];
