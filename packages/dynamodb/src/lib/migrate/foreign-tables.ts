import type { TableDescription } from '@aws-sdk/client-dynamodb';
import { SessionError } from '@mcp-session/core';
import type { TableDefinition } from './tables.ts';

/** True if a table has the keys of ours, by name, order and type. */
export function hasKeysOf(definition: TableDefinition, table: TableDescription): boolean {
  return keysOf(definition) === keysOf(table);
}

type Keys = Pick<TableDescription, 'KeySchema' | 'AttributeDefinitions'>;

function keysOf({ KeySchema = [], AttributeDefinitions = [] }: Keys): string {
  const typeOf = (name: string | undefined) =>
    AttributeDefinitions.find(({ AttributeName }) => AttributeName === name)?.AttributeType;
  return JSON.stringify(KeySchema.map(({ AttributeName, KeyType }) => [AttributeName, KeyType, typeOf(AttributeName)]));
}

/**
 * Rethrows the error of a read by our keys, which says what is wrong if a table has other keys. The
 * service has several sentences for that, each with the word "key".
 */
export function refuseForeign(store: string): (error: unknown) => never {
  return (error) => {
    const cause = error instanceof SessionError ? error.cause : undefined;
    const foreign = cause instanceof Error && cause.name === 'ValidationException' && /\bkeys?\b/i.test(cause.message);
    throw foreign ? foreignTables(store, cause) : error;
  };
}

/** The error for tables of something else with the names of ours. */
export function foreignTables(store: string, cause?: unknown): SessionError {
  return new SessionError(
    'STORE_FAILED',
    'A table of the session store belongs to something else: its keys are not id and item; nothing was changed, set sessionsTable and eventsTable',
    { store, cause },
  );
}
