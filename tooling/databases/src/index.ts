export { type DynamoDbConfig, dynamoDbConfig } from './lib/dynamodb.ts';
export { images } from './lib/images.ts';
export {
  createTestDatabase,
  createTestSchema,
  createTestTables,
  type TestDatabase,
  type TestSchema,
  type TestTables,
} from './lib/isolation.ts';
export type { DatabaseName } from './lib/kind.ts';
export { openDatabase, openOwnServer, type OpenOptions, shareDatabase } from './lib/open.ts';
export type { DatabaseAddress, DatabaseServer, OwnServer } from './lib/server.ts';
export { ForcedSourceError, type SourceName } from './lib/sources.ts';
export type { ProvidedDatabases } from './lib/vitest.ts';
