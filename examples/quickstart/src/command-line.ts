import type { SessionStore } from '@mcp-session/core';
import { createMemoryStore } from '@mcp-session/core/memory';
import { createPostgresStore } from '@mcp-session/postgres';
import { createSqliteStore } from '@mcp-session/sqlite';
import { resolve } from 'node:path';
import { readArguments } from './arguments.ts';
import { state } from './server.ts';

type Store = SessionStore<typeof state>;

const DEFAULT_PORT = '7460';
const DEFAULT_HOST = '127.0.0.1';
const DEFAULT_FILE = 'mcp-sessions.db';
const POSTGRES_SCHEMA = 'mcp_quickstart';

/**
 * The stores by their names in `--store`, each with its meaning of `--data`. To add a backend, add
 * an entry.
 */
const stores = {
  sqlite: {
    open: (path = DEFAULT_FILE): Promise<Store> => createSqliteStore({ path, state }),
    describe: (path = DEFAULT_FILE) =>
      `in ${resolve(path)}: stop the server, even with kill -9, start it again, and they continue`,
  },
  postgres: {
    // A schema of its own keeps its tables apart from everything else in the database.
    open: (url?: string): Promise<Store> =>
      createPostgresStore({ ...(url !== undefined && { url }), schema: POSTGRES_SCHEMA, state }),
    // Not the URL, which contains a password.
    describe: () => `in PostgreSQL, schema ${POSTGRES_SCHEMA}: any number of servers can continue them`,
  },
  dynamodb: {
    // Loaded on demand: the SDK takes a second to load.
    open: async (endpoint?: string): Promise<Store> => (await import('./dynamodb.ts')).openStore(endpoint),
    describe: (endpoint = 'DynamoDB, in the account and region that the AWS SDK finds') =>
      `in ${endpoint}: stop the server, even with kill -9, start it again, here or elsewhere, and they continue`,
  },
  memory: {
    open: (): Promise<Store> => createMemoryStore({ state }),
    describe: () => 'in memory: they end with this process',
  },
};

export const storeNames: string = Object.keys(stores).join(', ');

export const help: string = `Usage: npx -y pnpm@12 start [options]

Runs an MCP server that keeps notes in durable sessions.

  --store <name>  where the sessions live, one of: ${storeNames} (default: sqlite)
  --data <where>  the file of the sqlite store (default: ${DEFAULT_FILE}),
                  the URL of the postgres store's database (default: the environment variable DATABASE_URL),
                  or the address of a DynamoDB Local (default: DynamoDB itself)
  --port <port>   the port, 0 for any free one (default: ${DEFAULT_PORT})
  --host <name>   the address to listen on (default: ${DEFAULT_HOST}, this machine only).
                  It has no authentication: choose another address only in a network that you trust
  --quiet         prints no lines about sessions and calls
  --version       shows the version
  --help          shows this help`;

/** What the command line requests. */
export interface Options {
  readonly help: boolean;
  readonly version: boolean;
  readonly quiet: boolean;
  readonly host: string;
  readonly port: number;
  readonly openStore: () => Promise<Store>;
  /** Where the sessions are, in words. */
  readonly whereSessionsAre: string;
}

/** @throws Error that says what is wrong with the arguments. */
export function readOptions(args: readonly string[]): Options {
  const { store, data, host, port, quiet, help, version } = readArguments(args, {
    store: { type: 'string', default: 'sqlite' },
    data: { type: 'string' },
    host: { type: 'string', default: DEFAULT_HOST },
    port: { type: 'string', default: DEFAULT_PORT },
    quiet: { type: 'boolean', default: false },
    version: { type: 'boolean', default: false },
    help: { type: 'boolean', default: false },
  });
  checkStoreName(store);
  if (!/^\d{1,5}$/.test(port) || Number(port) > 65_535) {
    throw new Error(`Option --port is "${port}", not a whole number from 0 to 65535`);
  }
  if (!/^[\w.:%-]+$/.test(host)) {
    throw new Error(`Option --host is "${host}", not an address such as 127.0.0.1, 0.0.0.0 or ::1`);
  }
  if (store === 'memory' && data !== undefined) {
    throw new Error(
      'Option --data needs a store that keeps data, and memory keeps none: leave out one of the two options',
    );
  }
  const { open, describe } = stores[store];
  const place = { openStore: () => open(data), whereSessionsAre: describe(data) };
  return { help, version, quiet, host, port: Number(port), ...place };
}

/** @throws Error that lists the stores. */
export function checkStoreName(name: string): asserts name is keyof typeof stores {
  if (!Object.hasOwn(stores, name)) throw new Error(`Option --store is "${name}", not one of: ${storeNames}`);
}
