export { createPostgresBackend, createPostgresStore, migratePostgres } from './lib/create-store.ts';
export type { PostgresBackendOptions, PostgresClient, PostgresStoreOptions } from './lib/options.ts';
