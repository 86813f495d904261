import type { SessionStore, StateSchemas } from '@mcp-session/core';
import { createSessionStore, storeOptionsOf, type OptionNames, type SessionBackend } from '@mcp-session/core/backend';
import { SqliteBackend } from './backend.ts';
import { connect } from './client.ts';
import { translateError } from './errors.ts';
import {
  backendOptions,
  resolveOptions,
  storeOptions,
  type SqliteBackendOptions,
  type SqliteStoreOptions,
} from './options.ts';

/**
 * Opens a session store in an SQLite file and creates or migrates its tables. Several processes can
 * open the same file.
 *
 * @throws SessionError; the file is unchanged then. `STORE_UNAVAILABLE` or `STORE_DENIED` if the
 * file cannot be opened, `STORE_READ_ONLY` if it cannot be written, `STORE_CORRUPT` if it is no
 * database, `STORE_SCHEMA_TOO_NEW` if a newer version of this package has migrated it,
 * `STORE_FAILED` if tables with the same names belong to something else, `STORE_BUSY` if it stays
 * locked.
 * @throws TypeError or RangeError that names an option.
 */
export async function createSqliteStore<const S extends StateSchemas = StateSchemas>(
  options: SqliteStoreOptions<S> = {},
): Promise<SessionStore<S>> {
  return createSessionStore<S>(await open(options, storeOptions), storeOptionsOf(options));
}

/**
 * Opens the backend alone, for `createSessionStore` or for the conformance kit. Its `migrate()`
 * creates the tables.
 *
 * @throws The same as {@link createSqliteStore}.
 */
export async function createSqliteBackend(options: SqliteBackendOptions = {}): Promise<SessionBackend> {
  return open(options, backendOptions);
}

async function open(options: SqliteBackendOptions, names: OptionNames): Promise<SessionBackend> {
  const connection = await connect(resolveOptions(options, names));
  try {
    return new SqliteBackend(connection);
  } catch (error) {
    throw translateError(error, connection);
  }
}
