import type { DynamoDbBackendOptions } from '@mcp-session/dynamodb';
import { createTestTables, dynamoDbConfig, type TestTables } from '@mcp-session-tooling/databases';
import { DynamoDBClient } from '@aws-sdk/client-dynamodb';

/** What a process needs to open a test's storage. It can be copied to another process. */
export interface StorageArgument {
  readonly url: string;
  readonly prefix: string;
}

export function optionsOf({ url, prefix }: StorageArgument): DynamoDbBackendOptions {
  return {
    client: new DynamoDBClient({ ...dynamoDbConfig(url), maxAttempts: 1 }),
    sessionsTable: `${prefix}sessions`,
    eventsTable: `${prefix}events`,
    autoCreateTables: true,
  };
}

export function newStorage(url: string): TestTables & StorageArgument {
  return { ...createTestTables(url), url };
}
