import type { SessionBackend } from '@mcp-session/core/backend';
import { createDynamoDbBackend } from '@mcp-session/dynamodb';
import { optionsOf, type StorageArgument } from './storage.ts';

/** Opens the tables of a test in a process of its own. */
export function openBackend(argument: StorageArgument): Promise<SessionBackend> {
  return createDynamoDbBackend(optionsOf(argument));
}
