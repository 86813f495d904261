import type { TestProject } from 'vitest/node';
import type { DatabaseName } from './kind.ts';
import { openDatabase } from './open.ts';
import type { DatabaseAddress } from './server.ts';

/** What tests get by `inject`. */
export interface ProvidedDatabases {
  /** The PostgreSQL of this test run, if the configuration names `postgres-setup`. */
  readonly postgres: DatabaseAddress;

  /** The DynamoDB of this test run, if the configuration names `dynamodb-setup`. */
  readonly dynamodb: DatabaseAddress;
}

declare module 'vitest' {
  interface ProvidedContext extends ProvidedDatabases {}
}

/**
 * A global setup of vitest: opens one database for the whole run and provides its address to the
 * tests.
 */
export function globalSetup(database: DatabaseName): (project: TestProject) => Promise<() => Promise<void>> {
  return async (project) => {
    const server = await openDatabase(database, { log: (line) => project.vitest.logger.log(line) });
    const { source, url, product } = server;
    project.provide(database, { database, source, url, product });
    return () => server.close();
  };
}
