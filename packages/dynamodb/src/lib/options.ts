import type { SessionStoreOptions, StateSchemas } from '@mcp-session/core';

/**
 * What is used of a client of the AWS SDK. It is described here by its shape, so that these types need none of the SDK's; pass what `new DynamoDBClient(…)`
 * returned.
 */
export interface DynamoDbClient {
  readonly config: object;
  send(...args: never[]): unknown;
  destroy(): void;
}

/** Which tables a DynamoDB backend uses, how it reaches them, and what it may create. */
export interface DynamoDbBackendOptions {
  /**
   * Table of sessions, their state and what is due for a sweep.
   *
   * Default: `mcp-sessions`.
   */
  readonly sessionsTable?: string;
  /**
   * Table of sessions' events.
   *
   * Default: `mcp-session-events`.
   */
  readonly eventsTable?: string;
  /** AWS region. Default: what the SDK finds, in `AWS_REGION` or in the profile. */
  readonly region?: string;
  /** Address of the service, for DynamoDB Local or a VPC endpoint. Default: that of the region. */
  readonly endpoint?: string;
  /**
   * A `DynamoDBClient` of your own in place of `region` and `endpoint`: its credentials, timeouts and retries are yours. It is left open by `close()`. Its
   * retries come on top of `maxAttempts`; `maxAttempts: 1` on the client keeps them from multiplying.
   */
  readonly client?: DynamoDbClient;
  /**
   * Whether tables that do not exist are created, with time to live enabled. It needs more permissions, and takes some seconds when it happens; nothing
   * where the tables are there. Several processes may do so at once.
   *
   * Default: `false`: a missing table is an error.
   */
  readonly autoCreateTables?: boolean;
  /**
   * How a table that is created here is paid for: `on-demand`, or so many units of `read` and `write` capacity for it and for each of its indexes.
   *
   * Default: `on-demand`.
   */
  readonly billing?: 'on-demand' | { readonly read: number; readonly write: number };
  /** Whether point-in-time recovery is turned on for a table that is created here. Default: `false`. */
  readonly pointInTimeRecovery?: boolean;
  /**
   * Key that encrypts a table that is created here: `aws-owned`, `aws-managed`, or the id, ARN or alias of a KMS key of yours.
   *
   * Default: `aws-owned`, which costs nothing.
   */
  readonly encryption?: string;
  /**
   * How often a request is tried that was throttled, or to which DynamoDB failed to answer, with random waits between that grow to a second. After that the call
   * fails with `STORE_BUSY` or `STORE_UNAVAILABLE`.
   *
   * Default: `8`, some three seconds.
   */
  readonly maxAttempts?: number;
  /**
   * How often a call begins again when another process was faster on the same session. Each time somebody else got ahead. After that it fails with
   * `STORE_BUSY`.
   *
   * Default: `100`.
   */
  readonly maxConflicts?: number;
  /**
   * How long one request may take, in milliseconds, before it is tried again. Not with `client`, which has its own.
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
}

/** How tables are created. */
export interface CreateOptions {
  readonly billing: 'on-demand' | { readonly read: number; readonly write: number };
  readonly pointInTimeRecovery: boolean;
  readonly encryption: string;
}

/** @throws TypeError or RangeError that names the option. */
export function resolveOptions(options: DynamoDbBackendOptions): ResolvedOptions {
  const tables = {
    sessions: tableName('sessionsTable', options.sessionsTable ?? 'mcp-sessions'),
    events: tableName('eventsTable', options.eventsTable ?? 'mcp-session-events'),
  };
  if (tables.sessions === tables.events)
    throw new RangeError(`Options sessionsTable and eventsTable are both ${JSON.stringify(tables.events)}`);
  const create = createOptions(options);
  return {
    tables,
    client: borrowed(options),
    region: text('region', options.region),
    endpoint: text('endpoint', options.endpoint),
    requestTimeoutMs: whole('requestTimeoutMs', options.requestTimeoutMs ?? 5_000, 2_147_483_647),
    maxAttempts: whole('maxAttempts', options.maxAttempts ?? 8, 1_000),
    maxConflicts: whole('maxConflicts', options.maxConflicts ?? 100, 100_000),
    create: flag('autoCreateTables', options.autoCreateTables) ? create : undefined,
  };
}

function createOptions({ billing = 'on-demand', pointInTimeRecovery, encryption }: DynamoDbBackendOptions) {
  if (typeof billing === 'object' && billing !== null) {
    whole('billing.read', billing.read, 1_000_000);
    whole('billing.write', billing.write, 1_000_000);
  } else if (billing !== 'on-demand') {
    throw new RangeError(`Option billing is ${JSON.stringify(billing)}, not 'on-demand' or { read, write }`);
  }
  return {
    billing,
    pointInTimeRecovery: flag('pointInTimeRecovery', pointInTimeRecovery),
    encryption: text('encryption', encryption) ?? 'aws-owned',
  };
}

function borrowed({ client, ...options }: DynamoDbBackendOptions): DynamoDbClient | undefined {
  if (client === undefined) return undefined;
  for (const name of ['region', 'endpoint', 'requestTimeoutMs'] as const) {
    if (options[name] !== undefined)
      throw new TypeError(`Option ${name} cannot be combined with option client: the client is used as it is set up`);
  }
  if (typeof client !== 'object' || client === null || typeof client.send !== 'function')
    throw new TypeError('Option client is not a DynamoDBClient of @aws-sdk/client-dynamodb');
  return client;
}

// docs.aws.amazon.com/amazondynamodb/latest/developerguide/HowItWorks.NamingRulesDataTypes.html
function tableName(name: string, value: string): string {
  if (typeof value !== 'string') throw new TypeError(`Option ${name} is not a string`);
  if (!/^[A-Za-z0-9_.-]{3,255}$/.test(value) && !value.startsWith('arn:'))
    throw new RangeError(
      `Option ${name} is ${JSON.stringify(value)}, not 3 to 255 letters, digits, underscores, hyphens and dots`,
    );
  return value;
}

function text(name: string, value: unknown): string | undefined {
  if (value === undefined) return undefined;
  if (typeof value !== 'string') throw new TypeError(`Option ${name} is not a string`);
  if (value === '') throw new RangeError(`Option ${name} is empty`);
  return value;
}

function flag(name: string, value: unknown): boolean {
  if (value === undefined) return false;
  if (typeof value !== 'boolean') throw new TypeError(`Option ${name} is not a boolean`);
  return value;
}

function whole(name: string, value: unknown, max: number): number {
  if (typeof value !== 'number') throw new TypeError(`Option ${name} is not a number`);
  if (!Number.isInteger(value) || value < 1 || value > max)
    throw new RangeError(`Option ${name} is ${value}, not a whole number from 1 to ${max}`);
  return value;
}
