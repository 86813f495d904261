import type { SessionStore } from '@mcp-session/core';
import { state } from '@mcp-session-examples/quickstart/server';

/** Where a runtime's sessions are. It can be copied to another process. */
export type Place =
  | { readonly backend: 'memory' }
  | { readonly backend: 'sqlite'; readonly path: string }
  | { readonly backend: 'postgres'; readonly url: string }
  | { readonly backend: 'dynamodb'; readonly url: string; readonly prefix: string };

export type NotesStore = SessionStore<typeof state>;

/** Opens a store and loads the driver of its backend alone. */
export async function openStore(place: Place): Promise<NotesStore> {
  switch (place.backend) {
    case 'memory': {
      const { createMemoryStore } = await import('@mcp-session/core/memory');
      return createMemoryStore({ state });
    }
    case 'sqlite': {
      const { createSqliteStore } = await import('@mcp-session/sqlite');
      return createSqliteStore({ path: place.path, state });
    }
    case 'postgres': {
      const { createPostgresStore } = await import('@mcp-session/postgres');
      return createPostgresStore({ url: place.url, state });
    }
    case 'dynamodb': {
      const { DynamoDBClient } = await import('@aws-sdk/client-dynamodb');
      const { createDynamoDbStore } = await import('@mcp-session/dynamodb');
      return createDynamoDbStore({
        // DynamoDB Local wants a region and credentials, and takes any.
        client: new DynamoDBClient({
          endpoint: place.url,
          region: 'us-east-1',
          credentials: { accessKeyId: 'local', secretAccessKey: 'local' },
        }),
        sessionsTable: `${place.prefix}sessions`,
        eventsTable: `${place.prefix}events`,
        autoCreateTables: true,
        state,
      });
    }
  }
}
