export { createSqliteBackend, createSqliteStore } from './lib/create-store.ts';
export type { SqliteBackendOptions, SqliteDatabase, SqliteStoreOptions } from './lib/options.ts';
