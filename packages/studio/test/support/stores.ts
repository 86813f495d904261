import type { SessionStore } from '@mcp-session/core';
import { createMemoryStore } from '@mcp-session/core/memory';
import { createDynamoDbStore } from '@mcp-session/dynamodb';
import { createPostgresStore } from '@mcp-session/postgres';
import { createSqliteStore } from '@mcp-session/sqlite';
import { createTestSchema, createTestTables, dynamoDbConfig } from '@mcp-session-tooling/databases';
import { DynamoDBClient } from '@aws-sdk/client-dynamodb';
import { inject, onTestFinished } from 'vitest';

/** Opens an empty store of each backend. */
export const stores: Readonly<Record<string, (clock?: () => number) => Promise<SessionStore>>> = {
  memory: (clock = Date.now) => opened(createMemoryStore({ sweep: false, clock })),
  sqlite: (clock = Date.now) => opened(createSqliteStore({ path: ':memory:', sweep: false, clock })),
  postgres: async (clock = Date.now) => {
    const { url, schema, dispose } = await createTestSchema(inject('postgres').url);
    onTestFinished(() => dispose());
    return opened(createPostgresStore({ url, schema, sweep: false, clock }));
  },
  dynamodb: async (clock = Date.now) => {
    const { url } = inject('dynamodb');
    const { prefix, dispose } = createTestTables(url);
    onTestFinished(() => dispose());
    const client = new DynamoDBClient({ ...dynamoDbConfig(url), maxAttempts: 1 });
    const tables = { sessionsTable: `${prefix}sessions`, eventsTable: `${prefix}events` };
    return opened(createDynamoDbStore({ client, ...tables, autoCreateTables: true, sweep: false, clock }));
  },
};

async function opened(opening: Promise<SessionStore>): Promise<SessionStore> {
  const store = await opening;
  onTestFinished(() => store.close());
  return store;
}
