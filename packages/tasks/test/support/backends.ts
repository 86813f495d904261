import { DynamoDBClient } from '@aws-sdk/client-dynamodb';
import {
  createTestSchema,
  createTestTables,
  type DatabaseName,
  type DatabaseServer,
  dynamoDbConfig,
  openDatabase,
} from '@mcp-session-tooling/databases';
import type { SessionStore, SessionStoreOptions } from '@mcp-session/core';
import { createMemoryStore } from '@mcp-session/core/memory';
import { createDynamoDbStore } from '@mcp-session/dynamodb';
import { createPostgresStore } from '@mcp-session/postgres';
import { createSqliteStore } from '@mcp-session/sqlite';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { beforeAll, onTestFinished } from 'vitest';

/** Opens one more store on the storage of a test. */
export type OpenStore = (options: SessionStoreOptions) => Promise<SessionStore>;

/** Makes storage of its own for a test; gone when the test is. */
export type Backend = readonly [name: string, begin: () => Promise<OpenStore>];

// One server for all files of this process. It ends with the process.
const servers = new Map<DatabaseName, Promise<DatabaseServer>>();

/** How long a server may take to begin, in milliseconds: it is no part of the first test's time. */
const BEGIN_MS = 120_000;

beforeAll(async () => void (await Promise.all([urlOf('postgres'), urlOf('dynamodb')])), BEGIN_MS);

async function urlOf(database: DatabaseName): Promise<string> {
  const server = servers.get(database) ?? openDatabase(database);
  servers.set(database, server);
  return (await server).url;
}

/** Every backend. In memory, all nodes are in one process and share one store. */
export const backends: readonly Backend[] = [
  [
    'memory',
    async () => {
      let store: Promise<SessionStore> | undefined;
      return (options) => (store ??= createMemoryStore(options));
    },
  ],
  [
    'SQLite',
    async () => {
      const folder = await mkdtemp(join(tmpdir(), 'mcp-session-tasks-'));
      onTestFinished(() => rm(folder, { recursive: true, force: true }));
      return (options) => createSqliteStore({ ...options, path: join(folder, 'sessions.db'), synchronous: 'normal' });
    },
  ],
  [
    'PostgreSQL',
    async () => {
      const { url, schema, dispose } = await createTestSchema(await urlOf('postgres'));
      onTestFinished(dispose);
      return (options) => createPostgresStore({ ...options, url, schema });
    },
  ],
  [
    'DynamoDB',
    async () => {
      const url = await urlOf('dynamodb');
      const { prefix, dispose } = createTestTables(url);
      onTestFinished(dispose);
      return (options) =>
        createDynamoDbStore({
          ...options,
          client: new DynamoDBClient(dynamoDbConfig(url)),
          sessionsTable: `${prefix}sessions`,
          eventsTable: `${prefix}events`,
          autoCreateTables: true,
        });
    },
  ],
];
