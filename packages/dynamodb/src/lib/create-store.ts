import type { SessionStore, StateSchemas } from '@mcp-session/core';
import { createSessionStore, storeOptionsOf, type OptionNames, type SessionBackend } from '@mcp-session/core/backend';
import { DynamoDbBackend } from './backend.ts';
import { connect } from './client.ts';
import {
  backendOptions,
  resolveOptions,
  storeOptions,
  type DynamoDbBackendOptions,
  type DynamoDbStoreOptions,
} from './options.ts';

/**
 * Opens a session store in DynamoDB. Any number of processes can use the same tables.
 *
 * One cheap read checks that the tables exist. They are created only if
 * {@link DynamoDbBackendOptions.autoCreateTables} allows it.
 *
 * @throws SessionError `STORE_UNAVAILABLE` if a table does not exist or DynamoDB cannot be reached,
 * `STORE_DENIED` if the credentials do not allow it, `STORE_SCHEMA_TOO_NEW` if a newer version of
 * this package has changed the tables, `STORE_FAILED` if a table belongs to something else.
 * @throws TypeError or RangeError that names an option.
 */
export async function createDynamoDbStore<const S extends StateSchemas = StateSchemas>(
  options: DynamoDbStoreOptions<S> = {},
): Promise<SessionStore<S>> {
  return createSessionStore<S>(await open(options, storeOptions), storeOptionsOf(options));
}

/**
 * Opens the backend alone, for `createSessionStore` or for the conformance kit. It sends no request
 * before its first call, and its `migrate()` checks or creates the tables.
 *
 * @throws TypeError or RangeError that names an option.
 */
export async function createDynamoDbBackend(options: DynamoDbBackendOptions = {}): Promise<SessionBackend> {
  return open(options, backendOptions);
}

async function open(options: DynamoDbBackendOptions, names: OptionNames): Promise<SessionBackend> {
  const resolved = resolveOptions(options, names);
  return new DynamoDbBackend(await connect(resolved), resolved);
}
