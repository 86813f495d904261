export { createDynamoDbBackend, createDynamoDbStore } from './lib/create-store.ts';
export type { DynamoDbBackendOptions, DynamoDbClient, DynamoDbStoreOptions } from './lib/options.ts';
