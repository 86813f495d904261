import type { SessionStore, StateSchemas } from '@mcp-session/core';
import { createSessionStore, storeOptionsOf, type OptionNames, type SessionBackend } from '@mcp-session/core/backend';
import { PostgresBackend } from './backend.ts';
import { connect } from './client.ts';
import {
  backendOptions,
  resolveOptions,
  storeOptions,
  type PostgresBackendOptions,
  type PostgresStoreOptions,
} from './options.ts';

/**
 * Opens a session store in a PostgreSQL database and creates or migrates its tables. Any number of
 * nodes can open the same one.
 *
 * @throws SessionError `STORE_UNAVAILABLE` if the server does not answer, is too old or has no such
 * database; `STORE_DENIED` if it refuses the password or the role lacks a right; `STORE_READ_ONLY`
 * if tables have to be created on a replica; `STORE_SCHEMA_TOO_NEW` if a newer version of this
 * package has migrated it; `STORE_FAILED` if tables with the same names belong to something else.
 * @throws TypeError or RangeError that names an option.
 */
export async function createPostgresStore<const S extends StateSchemas = StateSchemas>(
  options: PostgresStoreOptions<S> = {},
): Promise<SessionStore<S>> {
  return createSessionStore<S>(await open(options, storeOptions), storeOptionsOf(options));
}

/**
 * Opens the backend alone, for `createSessionStore` or for the conformance kit. It connects at its
 * first call, and its `migrate()` creates the tables.
 *
 * @throws TypeError or RangeError that names an option. SessionError `STORE_UNAVAILABLE` if the
 * driver is missing or too old.
 */
export async function createPostgresBackend(options: PostgresBackendOptions = {}): Promise<SessionBackend> {
  return open(options, backendOptions);
}

/**
 * Creates or migrates the tables and closes: a step before a deploy, with a role that may create
 * tables. Stores that are open on the old version keep working. Options of a store are accepted
 * too, so that one object configures both.
 *
 * @throws The same as {@link createPostgresStore}.
 */
export async function migratePostgres(options: PostgresBackendOptions = {}): Promise<void> {
  const backend = await open(options, storeOptions);
  try {
    await backend.migrate();
  } finally {
    await backend.close();
  }
}

async function open(options: PostgresBackendOptions, names: OptionNames): Promise<SessionBackend> {
  const resolved = resolveOptions(options, names);
  return new PostgresBackend(await connect(resolved), resolved);
}
