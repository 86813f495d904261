import { DynamoDBClient } from '@aws-sdk/client-dynamodb';
import { SessionError, type SessionStore, type SessionStoreOptions } from '@mcp-session/core';
import { createSessionStore, type SessionBackend } from '@mcp-session/core/backend';
import { createDynamoDbBackend } from '@mcp-session/dynamodb';
import { createPostgresBackend } from '@mcp-session/postgres';
import { createSqliteBackend } from '@mcp-session/sqlite';
import { dynamoDbConfig } from '@mcp-session-tooling/databases';
import { setTimeout as pause } from 'node:timers/promises';
import { plant } from './bugs.ts';
import { trouble, type Trouble } from './faults/dynamodb-client.ts';

/** The backends to torture: those that processes can share. */
export const backendNames = ['sqlite', 'postgres', 'dynamodb'] as const;
export type BackendName = (typeof backendNames)[number];

/** Where the processes of a run keep their sessions. They receive it as JSON. */
export type Address =
  | { readonly backend: 'sqlite'; readonly path: string }
  | { readonly backend: 'postgres'; readonly url: string; readonly schema: string }
  | { readonly backend: 'dynamodb'; readonly url: string; readonly prefix: string };

/** How a worker's store misbehaves. */
export interface Misbehaviour {
  /** Name of a planted bug, see `bugs.ts`. Default: none. */
  readonly bug?: string | undefined;
  /** Faults of the requests of a DynamoDB client. Default: none. */
  readonly trouble?: Trouble | undefined;
}

/** How long a store may take to open while its database is down, in milliseconds. */
const START_MS = 30_000;

/**
 * Opens a store like an application, but without background sweeps: the run decides when to sweep.
 */
export async function openStore(
  address: Address,
  { bug, trouble }: Misbehaviour = {},
  options: SessionStoreOptions = {},
): Promise<SessionStore> {
  const open = async (): Promise<SessionStore> =>
    createSessionStore(plant(await openBackend(address, trouble), bug), {
      ttlMs: 3_600_000,
      retention: { maxEvents: 1_000_000, maxBytes: 1_000_000_000 },
      sweep: false,
      ...options,
    });
  // The database may be down when a process starts. A supervisor would restart the process.
  for (const giveUpAt = performance.now() + START_MS; ;) {
    try {
      return await open();
    } catch (error) {
      if (!(error instanceof SessionError && error.retryable) || performance.now() > giveUpAt) throw error;
      await pause(100);
    }
  }
}

async function openBackend(address: Address, about: Trouble | undefined): Promise<SessionBackend> {
  switch (address.backend) {
    case 'sqlite':
      return createSqliteBackend({ path: address.path, synchronous: 'normal' });
    case 'postgres':
      return createPostgresBackend({ url: address.url, schema: address.schema });
    case 'dynamodb':
      return createDynamoDbBackend({
        client: trouble(new DynamoDBClient({ ...dynamoDbConfig(address.url), maxAttempts: 1 }), about),
        sessionsTable: `${address.prefix}sessions`,
        eventsTable: `${address.prefix}events`,
        autoCreateTables: true,
      });
  }
}
