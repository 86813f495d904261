import { DynamoDBClient } from '@aws-sdk/client-dynamodb';
import type { SessionStore } from '@mcp-session/core';
import { createDynamoDbStore } from '@mcp-session/dynamodb';
import { state } from './server.ts';

/** Opens the store in DynamoDB Local at the given address, or in DynamoDB itself. */
export function openStore(endpoint: string | undefined): Promise<SessionStore<typeof state>> {
  if (endpoint === undefined) return createDynamoDbStore({ autoCreateTables: true, state });
  // DynamoDB Local requires a region and credentials, and accepts any.
  const credentials = { accessKeyId: 'local', secretAccessKey: 'local' };
  const client = new DynamoDBClient({ endpoint, region: 'us-east-1', credentials });
  return createDynamoDbStore({ client, autoCreateTables: true, state });
}
