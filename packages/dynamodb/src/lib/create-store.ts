import type { SessionStore, StateSchemas } from '@mcp-session/core';
import {
  checkOptions,
  createSessionStore,
  sessionStoreOptions,
  storeOptionsOf,
  type SessionBackend,
} from '@mcp-session/core/backend';
import { DynamoDbBackend } from './backend.ts';
import { open } from './open.ts';
import { backendOptions, resolveOptions, type DynamoDbBackendOptions, type DynamoDbStoreOptions } from './options.ts';

/**
 * Opens a session store in DynamoDB. Any number of processes can use the same tables.
 *
 * One cheap read shows that the tables are there. They are created only where {@link DynamoDbBackendOptions.autoCreateTables} allows it.
 *
 * @throws SessionError `STORE_UNAVAILABLE` where a table does not exist or DynamoDB cannot be reached, `STORE_DENIED` where the credentials do not
 * allow it, `STORE_SCHEMA_TOO_NEW` where a newer version of this package has changed the tables. TypeError or RangeError that names an option.
 */
export async function createDynamoDbStore<const S extends StateSchemas = StateSchemas>(
  options: DynamoDbStoreOptions<S> = {},
): Promise<SessionStore<S>> {
  checkOptions(options, { ...backendOptions, ...sessionStoreOptions });
  return createSessionStore<S>(new DynamoDbBackend(open(resolveOptions(options))), storeOptionsOf(options));
}

/**
 * Makes the backend alone, to give it to `createSessionStore` or to the conformance kit. It makes no request before its first call.
 *
 * @throws TypeError or RangeError that names an option.
 */
export function createDynamoDbBackend(options: DynamoDbBackendOptions = {}): SessionBackend {
  checkOptions(options, backendOptions);
  return new DynamoDbBackend(open(resolveOptions(options)));
}
