import type { SessionStoreOptions, StateSchemas } from '@mcp-session/core';
import {
  backgroundListener,
  checkOptions,
  errorListenerOptions,
  flag,
  kindOf,
  MAX_TIMER_MS,
  positive,
  refuseUndefined,
  sessionStoreOptions,
  text,
  type ErrorListener,
  type ErrorListenerOptions,
  type OptionNames,
} from '@mcp-session/core/backend';
import { address, INSTEAD, PLACES, regionName, tableName } from './places.ts';

/**
 * The part of an AWS SDK client that this package uses: pass what `new DynamoDBClient(…)` returned.
 * Described by its shape, so that these types do not need those of the SDK.
 */
export interface DynamoDbClient {
  readonly config: object;
  send(...args: never[]): unknown;
  destroy(): void;
}

/**
 * Which tables a DynamoDB backend uses, how it reaches them, whether it may create them, and where
 * errors of its background work go.
 */
export interface DynamoDbBackendOptions extends ErrorListenerOptions {
  /**
   * Table of sessions, their state and the due items of sweeps.
   *
   * Default: `mcp-sessions`. `undefined` is refused as a mistake.
   */
  readonly sessionsTable?: string;
  /**
   * Table of sessions' events.
   *
   * Default: `mcp-session-events`. `undefined` is refused as a mistake.
   */
  readonly eventsTable?: string;
  /**
   * AWS region.
   *
   * Default: the SDK reads `AWS_REGION` or the profile. `undefined` is refused as a mistake.
   */
  readonly region?: string;
  /**
   * Address of the service, for DynamoDB Local or a VPC endpoint.
   *
   * Default: that of the region. `undefined` is refused as a mistake.
   */
  readonly endpoint?: string;
  /**
   * A `DynamoDBClient` of your own instead of `region` and `endpoint`. `close()` leaves it open.
   * Credentials, timeouts and retries stay as you set them. Its retries multiply with
   * `maxAttempts`; set `maxAttempts: 1` on the client to avoid that.
   *
   * Default: none, the store makes one. `undefined` is refused as a mistake.
   */
  readonly client?: DynamoDbClient;
  /**
   * Whether missing tables are created, with time to live enabled. It needs more permissions and
   * takes some seconds; it costs nothing if the tables exist. Several processes may do so at once.
   *
   * Default: `false`: a missing table is an error.
   */
  readonly autoCreateTables?: boolean;
  /**
   * The billing of tables that are created: `on-demand`, or provisioned units of `read` and `write`
   * capacity for each table and each of its indexes.
   *
   * Default: `on-demand`.
   */
  readonly billing?: 'on-demand' | { readonly read: number; readonly write: number };
  /** Whether point-in-time recovery is enabled for tables that are created. Default: `false`. */
  readonly pointInTimeRecovery?: boolean;
  /** Whether tables that are created are protected from deletion. Default: `false`. */
  readonly deletionProtection?: boolean;
  /**
   * The encryption key of tables that are created: `aws-owned`, `aws-managed`, or the id, ARN or
   * alias of a KMS key of yours.
   *
   * Default: `aws-owned`, which costs nothing. `undefined` is refused as a mistake.
   */
  readonly encryption?: string;
  /**
   * Attempts at a request that is throttled or not answered, with random pauses that grow to a
   * second. Then the call fails with `STORE_BUSY` or `STORE_UNAVAILABLE`.
   *
   * Default: `8`, about three seconds.
   */
  readonly maxAttempts?: number;
  /**
   * Attempts at a call that loses against other processes on the same session. Then it fails with
   * `STORE_BUSY`. Each lost attempt means that another process has succeeded.
   *
   * Default: `100`.
   */
  readonly maxConflicts?: number;
  /**
   * How long one request may take, in milliseconds, before it is retried. Not with `client`, which
   * has a timeout of its own.
   *
   * Default: 5 seconds (`5_000`).
   */
  readonly requestTimeoutMs?: number;
}

/** Options of `createDynamoDbStore`: those of the backend and those of every store. */
export interface DynamoDbStoreOptions<S extends StateSchemas = StateSchemas>
  extends DynamoDbBackendOptions, SessionStoreOptions<S> {}

/** Names of both tables. */
export interface TableNames {
  readonly sessions: string;
  readonly events: string;
}

/** Options with their defaults applied. */
export interface ResolvedOptions {
  readonly tables: TableNames;
  readonly client: DynamoDbClient | undefined;
  readonly region: string | undefined;
  readonly endpoint: string | undefined;
  readonly requestTimeoutMs: number;
  readonly maxAttempts: number;
  readonly maxConflicts: number;
  /** `undefined`: a missing table is an error. */
  readonly create: CreateOptions | undefined;
  readonly onError: ErrorListener;
}

/** How tables are created. */
export interface CreateOptions {
  readonly billing: 'on-demand' | { readonly read: number; readonly write: number };
  readonly pointInTimeRecovery: boolean;
  readonly deletionProtection: boolean;
  readonly encryption: string;
}

/** Names of {@link DynamoDbBackendOptions}, each with names that are mistaken for it. */
export const backendOptions: OptionNames<DynamoDbBackendOptions> = {
  sessionsTable: ['table', 'tableName', 'table_name', 'sessionTable'],
  eventsTable: ['eventTable', 'events_table_name'],
  region: ['awsRegion'],
  endpoint: ['url', 'endpointUrl', 'host', 'connectionString'],
  client: [
    'credentials',
    'accessKeyId',
    'secretAccessKey',
    'sessionToken',
    'profile',
    'dynamodb',
    'dynamoDbClient',
    'documentClient',
    'requestHandler',
  ],
  autoCreateTables: ['createTables', 'createTable', 'autoCreate'],
  billing: ['billingMode', 'capacity', 'provisionedThroughput'],
  pointInTimeRecovery: ['pitr', 'backups'],
  encryption: ['kmsKeyId', 'kmsKeyArn', 'kmsKey', 'sse'],
  deletionProtection: ['deletionProtectionEnabled'],
  maxAttempts: ['retries', 'maxRetries'],
  maxConflicts: [],
  requestTimeoutMs: ['timeout', 'timeoutMs', 'requestTimeout'],
  ...errorListenerOptions,
};

/** Names of {@link DynamoDbStoreOptions}. */
export const storeOptions: OptionNames = { ...backendOptions, ...sessionStoreOptions };

/**
 * @param names The options that are accepted.
 * @throws TypeError or RangeError that names the option.
 */
export function resolveOptions(options: DynamoDbBackendOptions, names: OptionNames): ResolvedOptions {
  checkOptions(options, names, undefined, INSTEAD);
  refuseUndefined(options, PLACES);
  const tables = {
    sessions: tableName('sessionsTable', options.sessionsTable, PLACES.sessionsTable),
    events: tableName('eventsTable', options.eventsTable, PLACES.eventsTable),
  };
  if (tables.sessions === tables.events) {
    throw new RangeError('Options sessionsTable and eventsTable name the same table');
  }
  const create = createOptions(options);
  return {
    tables,
    client: borrowed(options),
    region: regionName('region', options.region),
    endpoint: address('endpoint', options.endpoint),
    requestTimeoutMs: positive('requestTimeoutMs', options.requestTimeoutMs, 5_000, MAX_TIMER_MS),
    maxAttempts: positive('maxAttempts', options.maxAttempts, 8, 1_000),
    maxConflicts: positive('maxConflicts', options.maxConflicts, 100, 100_000),
    create: flag('autoCreateTables', options.autoCreateTables, false) ? create : undefined,
    onError: backgroundListener(options, {
      from: '@mcp-session/dynamodb',
      owner: 'a DynamoDB store',
      warning: 'SessionStoreWarning',
    }),
  };
}

function createOptions(options: DynamoDbBackendOptions): CreateOptions {
  const { billing = 'on-demand' } = options;
  if (billing !== 'on-demand') {
    if (typeof billing !== 'object') throw new RangeError("Option billing is neither 'on-demand' nor { read, write }");
    checkOptions(billing, { read: [], write: [] }, 'billing');
    positive('billing.read', billing.read ?? null, 1, 1_000_000);
    positive('billing.write', billing.write ?? null, 1, 1_000_000);
  }
  return {
    billing,
    pointInTimeRecovery: flag('pointInTimeRecovery', options.pointInTimeRecovery, false),
    deletionProtection: flag('deletionProtection', options.deletionProtection, false),
    encryption: text('encryption', options.encryption, PLACES.encryption),
  };
}

function borrowed({ client, ...options }: DynamoDbBackendOptions): DynamoDbClient | undefined {
  if (client === undefined) return undefined;
  for (const name of ['region', 'endpoint', 'requestTimeoutMs'] as const) {
    if (options[name] !== undefined) {
      throw new TypeError(`Option ${name} cannot be combined with option client: the client is used as it is set up`);
    }
  }
  if (typeof client !== 'object' || client === null || typeof client.send !== 'function') {
    throw new TypeError(`Option client is ${kindOf(client)}, not a DynamoDBClient of @aws-sdk/client-dynamodb`);
  }
  return client;
}
