import { DynamoDBClient } from '@aws-sdk/client-dynamodb';
import { dynamoDbConfig } from '@mcp-session-tooling/databases';
import type { SessionStore, SessionStoreOptions } from '@mcp-session/core';
import { createDynamoDbStore } from '@mcp-session/dynamodb';
import { createPostgresStore } from '@mcp-session/postgres';
import { createSqliteStore } from '@mcp-session/sqlite';

/** Where the nodes of a chaos test have their sessions. */
export type StoreAddress =
  | { readonly kind: 'sqlite'; readonly path: string }
  | { readonly kind: 'postgres'; readonly url: string; readonly schema: string }
  | { readonly kind: 'dynamodb'; readonly url: string; readonly prefix: string };

export function openStore(address: StoreAddress, options: SessionStoreOptions = {}): Promise<SessionStore> {
  switch (address.kind) {
    case 'sqlite':
      return createSqliteStore({ ...options, path: address.path, synchronous: 'normal' });
    case 'postgres':
      return createPostgresStore({ ...options, url: address.url, schema: address.schema });
    case 'dynamodb':
      return createDynamoDbStore({
        ...options,
        client: new DynamoDBClient({ ...dynamoDbConfig(address.url), maxAttempts: 1 }),
        sessionsTable: `${address.prefix}sessions`,
        eventsTable: `${address.prefix}events`,
        autoCreateTables: true,
      });
  }
}
