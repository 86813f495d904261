import type { SessionStore, StateSchemas } from '@mcp-session/core';
import { createSessionStore, storeOptionsOf, type SessionBackend } from '@mcp-session/core/backend';
import { SqliteBackend } from './backend.ts';
import { translateError } from './errors.ts';
import { open } from './client.ts';
import { resolveOptions, type SqliteBackendOptions, type SqliteStoreOptions } from './options.ts';

/**
 * Opens a session store in an SQLite file, with its tables made or brought up to date. Several processes can open the same file.
 *
 * @throws SessionError `STORE_UNAVAILABLE` or `STORE_DENIED` where the file cannot be opened, `STORE_READ_ONLY` where it cannot be written,
 * `STORE_CORRUPT` where it is no database, `STORE_SCHEMA_TOO_NEW` where a newer version of this package has migrated it, `STORE_BUSY` where it stays
 * locked. The file is unchanged then. TypeError or RangeError that names an option.
 */
export async function createSqliteStore<const S extends StateSchemas = StateSchemas>(
  options: SqliteStoreOptions<S> = {},
): Promise<SessionStore<S>> {
  return createSessionStore<S>(await createSqliteBackend(options), storeOptionsOf(options));
}

/**
 * Opens the backend alone, to give it to `createSessionStore` or to the conformance kit. Its tables are made by its `migrate()`.
 *
 * @throws The same as {@link createSqliteStore}.
 */
export async function createSqliteBackend(options: SqliteBackendOptions = {}): Promise<SessionBackend> {
  const opened = await open(resolveOptions(options));
  try {
    return new SqliteBackend(opened);
  } catch (error) {
    throw translateError(error, opened.connection);
  }
}
