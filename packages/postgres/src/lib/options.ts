import type { SessionStoreOptions, StateSchemas } from '@mcp-session/core';
import {
  checkOptions,
  flag,
  oneOf,
  positive,
  refuseUndefined,
  sessionStoreOptions,
  text,
  type OptionNames,
} from '@mcp-session/core/backend';
import { checkEnvironment, checkUrl } from './url.ts';

/** The part of a postgres.js client that this package uses: pass what `postgres(…)` returned. */
export interface PostgresClient {
  readonly options: object;
  unsafe(query: string): object;
  listen(channel: string, onNotify: (payload: string) => void, onListen?: () => void): PromiseLike<object>;
}

/** Where and how a PostgreSQL backend stores its data. */
export interface PostgresBackendOptions {
  /**
   * The database as a URL, `postgres://user:password@host:5432/database?sslmode=require`.
   *
   * Default: the environment variable `DATABASE_URL`. If it is not set, postgres.js uses `PGHOST`,
   * `PGPORT`, `PGDATABASE`, `PGUSER` and `PGPASSWORD`. `undefined` is refused as a mistake.
   */
  readonly url?: string;
  /**
   * A postgres.js client of your own instead of `url`. `close()` leaves it open. Pool size,
   * timeouts and prepared statements stay as you set them. It must not rename columns
   * (`transform`).
   *
   * Default: none, `url` is opened. `undefined` is refused as a mistake.
   */
  readonly sql?: PostgresClient;
  /**
   * The schema of the tables. It is created if it does not exist and the role may.
   *
   * Default: `public`. `undefined` is refused as a mistake.
   */
  readonly schema?: string;
  /**
   * Prefix of the names of tables, indexes and functions: lower-case letters, digits and
   * underscores, no digit first. Stores with different prefixes can share a schema.
   *
   * Default: `mcp_`. `undefined` is refused as a mistake.
   */
  readonly tablePrefix?: string;
  /**
   * Maximum number of connections of this store, not counting the one that listens. Default: `10`.
   */
  readonly maxConnections?: number;
  /**
   * How long the server may work on one statement, in milliseconds. If it does not answer at all,
   * the call fails five seconds later.
   *
   * Default: 10 seconds (`10_000`).
   */
  readonly statementTimeoutMs?: number;
  /**
   * Whether statements are prepared on the server. Set `false` behind a pooler in transaction mode
   * that does not support it (PgBouncer before 1.21).
   *
   * Default: `true`.
   */
  readonly prepare?: boolean;
  /**
   * Whether LISTEN and NOTIFY wake tails within milliseconds of an append in another process.
   * `auto`: yes, and the store verifies that notifications arrive. Behind a pooler in transaction
   * mode they do not; then the process emits a warning and tails poll each second. `on`: yes,
   * without verification. `off`: tails poll each second.
   *
   * Default: `auto`.
   */
  readonly notifications?: 'auto' | 'on' | 'off';
}

/** Options of `createPostgresStore`: those of the backend and those of every store. */
export interface PostgresStoreOptions<S extends StateSchemas = StateSchemas>
  extends PostgresBackendOptions, SessionStoreOptions<S> {}

/** How our own pool is opened. */
export interface PoolOptions {
  /** `undefined`: postgres.js reads the environment. */
  readonly url: string | undefined;
  readonly maxConnections: number;
  readonly statementTimeoutMs: number;
  readonly prepare: boolean;
}

/** Options with their defaults applied. */
export interface ResolvedOptions {
  readonly schema: string;
  readonly tablePrefix: string;
  readonly notifications: 'auto' | 'on' | 'off';
  readonly client: PostgresClient | PoolOptions;
}

// PostgreSQL cuts names after 63 bytes, and the longest name after the prefix is
// `sessions_by_principal`.
const MAX_PREFIX = 40;

/** Names of {@link PostgresBackendOptions}, each with names that are mistaken for it. */
export const backendOptions: OptionNames<PostgresBackendOptions> = {
  url: ['connectionString', 'connection', 'uri', 'dsn', 'databaseUrl'],
  sql: ['client', 'pool', 'db', 'postgres'],
  schema: ['searchPath', 'namespace'],
  tablePrefix: ['prefix', 'table', 'tableName'],
  maxConnections: ['max', 'poolSize', 'connectionLimit'],
  statementTimeoutMs: ['timeout', 'queryTimeout'],
  prepare: ['preparedStatements'],
  notifications: ['notify', 'listen'],
};

/** What the options that choose a place stand for if they are left out. */
const PLACES = { url: 'DATABASE_URL', sql: 'url', schema: 'public', tablePrefix: 'mcp_' };

/** What to do instead of giving an option that pg or postgres.js has. */
const INSTEAD = {
  ...each('put it into url, postgres://user:password@host:5432/database', [
    'host',
    'hostname',
    'port',
    'user',
    'username',
    'password',
    'database',
    'dbname',
  ]),
  ...each('put ?sslmode=require into url', ['ssl', 'tls', 'sslmode', 'sslMode']),
  ...each('make a client of postgres.js with it and give it as sql', [
    'application_name',
    'connect_timeout',
    'connectionTimeoutMillis',
    'debug',
    'idle_timeout',
    'idleTimeoutMillis',
    'max_lifetime',
    'onnotice',
    'types',
  ]),
};

/** Names of {@link PostgresStoreOptions}. */
export const storeOptions: OptionNames = { ...backendOptions, ...sessionStoreOptions };

/**
 * @param names The options that are accepted.
 * @throws TypeError or RangeError that names the option.
 */
export function resolveOptions(options: PostgresBackendOptions, names: OptionNames): ResolvedOptions {
  checkOptions(options, names, undefined, INSTEAD);
  refuseUndefined(options, PLACES);
  const schema = text('schema', options.schema, PLACES.schema);
  if (schema.includes('\0') || Buffer.byteLength(schema) > 63) {
    throw new RangeError(`Option schema is ${JSON.stringify(schema)}, not 1 to 63 bytes`);
  }
  const tablePrefix = text('tablePrefix', options.tablePrefix, PLACES.tablePrefix);
  if (!/^[a-z_][a-z0-9_]*$/.test(tablePrefix) || tablePrefix.length > MAX_PREFIX) {
    throw new RangeError(
      `Option tablePrefix is ${JSON.stringify(tablePrefix)}, not 1 to ${MAX_PREFIX} lower-case letters, digits and underscores without a digit first`,
    );
  }
  const notifications = oneOf('notifications', options.notifications, ['auto', 'on', 'off'], 'auto');
  return { schema, tablePrefix, notifications, client: clientOf(options) };
}

function clientOf(options: PostgresBackendOptions): PostgresClient | PoolOptions {
  if (options.sql !== undefined) return borrowed(options.sql, options);
  const { url = process.env['DATABASE_URL'] } = options;
  if (url !== undefined) checkUrl(options.url === undefined ? 'Environment variable DATABASE_URL' : 'Option url', url);
  else checkEnvironment(process.env);
  return {
    url,
    prepare: flag('prepare', options.prepare, true),
    maxConnections: positive('maxConnections', options.maxConnections, 10, 10_000),
    statementTimeoutMs: positive('statementTimeoutMs', options.statementTimeoutMs, 10_000, 2_147_000_000),
  };
}

function borrowed(client: PostgresClient, options: PostgresBackendOptions): PostgresClient {
  for (const name of ['url', 'maxConnections', 'statementTimeoutMs', 'prepare'] as const) {
    if (options[name] !== undefined) {
      throw new TypeError(`Option ${name} cannot be combined with option sql: the client is used as it is set up`);
    }
  }
  const { unsafe, listen } = (client ?? {}) as Partial<PostgresClient>;
  if (typeof unsafe !== 'function' || typeof listen !== 'function') {
    throw new TypeError('Option sql is not a postgres.js client');
  }
  const { transform } = client.options as { readonly transform?: Record<string, { readonly from?: unknown }> };
  if ([transform?.['column'], transform?.['value'], transform?.['row']].some((part) => part?.from !== undefined)) {
    throw new TypeError('Option sql is a client with a transform: give one without, it would rename our columns');
  }
  return client;
}

function each(advice: string, names: readonly string[]): Record<string, string> {
  return Object.fromEntries(names.map((name) => [name, advice]));
}
