import type { SessionStore, StateSchemas } from '@mcp-session/core';
import { createSessionStore, storeOptionsOf, type SessionBackend } from '@mcp-session/core/backend';
import { PostgresBackend } from './backend.ts';
import { borrow } from './client.ts';
import { loadDriver } from './client/driver.ts';
import { resolveOptions, type PostgresBackendOptions, type PostgresStoreOptions } from './options.ts';
import { Pool } from './client/pool.ts';

/**
 * Opens a session store in a PostgreSQL database, with its tables made or brought up to date. Any number of nodes can open the same one.
 *
 * @throws SessionError `STORE_UNAVAILABLE` where the server does not answer, is too old, or has no such database; `STORE_DENIED` where it refuses the password or
 * the role lacks a right; `STORE_READ_ONLY` where tables have to be made on a replica; `STORE_SCHEMA_TOO_NEW` where a newer version of this
 * package has migrated it. TypeError or RangeError that names an option.
 */
export async function createPostgresStore<const S extends StateSchemas = StateSchemas>(
  options: PostgresStoreOptions<S> = {},
): Promise<SessionStore<S>> {
  return createSessionStore<S>(await open(options, true), storeOptionsOf(options));
}

/**
 * Opens the backend alone, to give it to `createSessionStore` or to the conformance kit. It connects when it is first used, and its tables are made
 * by its `migrate()`.
 *
 * @throws TypeError or RangeError that names an option. SessionError `STORE_UNAVAILABLE` where the driver is missing or too old.
 */
export async function createPostgresBackend(options: PostgresBackendOptions = {}): Promise<SessionBackend> {
  return open(options, false);
}

/**
 * Makes the tables or brings them up to date and closes again: for a step ahead of a deploy, with a role that may make tables. Stores that are open
 * on the old version go on working. Options of a store may be among those that are given, so that one object does for both.
 *
 * @throws The same as {@link createPostgresStore}.
 */
export async function migratePostgres(options: PostgresBackendOptions = {}): Promise<void> {
  const backend = await open(options, true);
  try {
    await backend.migrate();
  } finally {
    await backend.close();
  }
}

async function open(options: PostgresBackendOptions, ofStore: boolean): Promise<PostgresBackend> {
  const resolved = resolveOptions(options, ofStore);
  const { client } = resolved;
  return new PostgresBackend('unsafe' in client ? borrow(client) : new Pool(client, await loadDriver()), resolved);
}
