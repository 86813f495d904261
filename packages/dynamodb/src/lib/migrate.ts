import type { CreateTableCommandInput, KeySchemaElement, SSESpecification } from '@aws-sdk/client-dynamodb';
import { SessionError } from '@mcp-session/core';
import type { Connection } from './connection.ts';
import { readNumber } from './items.ts';
import { KIND_INDEX, PRINCIPAL_INDEX, SCHEMA_KEY, STREAM_INDEX } from './schema.ts';
import type { CreateOptions, TableNames } from './options.ts';
import type { Sdk } from './client/sdk.ts';

/** The layout of this version. Tables without a schema item have this one. */
const SCHEMA_VERSION = 1;
/** How long to wait until a table is created, in seconds. It takes about ten. */
const MAX_WAIT_S = 120;

/**
 * Checks in one read that both tables exist, and creates missing ones if that is allowed.
 *
 * @throws SessionError `STORE_SCHEMA_TOO_NEW`; `STORE_UNAVAILABLE` if a table is missing.
 */
export async function migrate(connection: Connection, create: CreateOptions | undefined): Promise<void> {
  try {
    await check(connection);
  } catch (error) {
    const missing =
      error instanceof SessionError && error.cause instanceof Error && error.cause.name === 'ResourceNotFoundException';
    if (!missing || create === undefined) throw error;
    await createTables(connection, create);
    await check(connection);
  }
}

async function check(connection: Connection): Promise<void> {
  // Only the first table has the item, but the batch fails if any table is missing.
  const [item] = await connection.batchGet({ sessions: [SCHEMA_KEY], events: [SCHEMA_KEY] });
  const version = item === undefined ? SCHEMA_VERSION : readNumber(item, 'version');
  if (version !== SCHEMA_VERSION)
    throw new SessionError(
      'STORE_SCHEMA_TOO_NEW',
      `Session store was changed by a newer version of @mcp-session/dynamodb (layout ${version}); nothing was changed, install that version`,
      { store: connection.label },
    );
}

/** Several processes may run this at once: one creates, all wait. */
async function createTables(connection: Connection, options: CreateOptions): Promise<void> {
  const { tables } = connection;
  const sdk = await connection.sdk();
  const { client, commands } = sdk;
  for (const definition of [sessionsTable(tables), eventsTable(tables)]) {
    const { TableName } = definition;
    try {
      await client
        .send(new commands.CreateTableCommand({ ...definition, ...settings(definition, options) }))
        .catch(unless('ResourceInUseException'));
      await commands.waitUntilTableExists({ client, maxWaitTime: MAX_WAIT_S, minDelay: 1, maxDelay: 5 }, { TableName });
      await enableTimeToLive(sdk, TableName);
      if (options.pointInTimeRecovery)
        await client.send(
          new commands.UpdateContinuousBackupsCommand({
            TableName,
            PointInTimeRecoverySpecification: { PointInTimeRecoveryEnabled: true },
          }),
        );
    } catch (error) {
      throw connection.failure(error);
    }
  }
}

async function enableTimeToLive({ client, commands }: Sdk, TableName: string | undefined): Promise<void> {
  const { TimeToLiveDescription } = await client.send(new commands.DescribeTimeToLiveCommand({ TableName }));
  if (TimeToLiveDescription?.TimeToLiveStatus !== 'DISABLED') return;
  const TimeToLiveSpecification = { AttributeName: 'ttl', Enabled: true };
  // DynamoDB refuses this while another process does the same.
  await client
    .send(new commands.UpdateTimeToLiveCommand({ TableName, TimeToLiveSpecification }))
    .catch(unless('ValidationException'));
}

/**
 * The definition of a table, without billing and encryption. A test compares it with the documents
 * in `infrastructure`.
 */
export type TableDefinition = Pick<
  CreateTableCommandInput,
  'TableName' | 'KeySchema' | 'AttributeDefinitions' | 'GlobalSecondaryIndexes' | 'LocalSecondaryIndexes'
>;

export function sessionsTable({ sessions }: TableNames): TableDefinition {
  const index = (IndexName: string, partition: string) => ({
    IndexName,
    KeySchema: keySchema(partition, 'id'),
    Projection: { ProjectionType: 'KEYS_ONLY' as const },
  });
  return {
    TableName: sessions,
    KeySchema: keySchema('id', 'item'),
    AttributeDefinitions: texts('id', 'item', 'listKind', 'listOwner'),
    GlobalSecondaryIndexes: [index(KIND_INDEX, 'listKind'), index(PRINCIPAL_INDEX, 'listOwner')],
  };
}

export function eventsTable({ events }: TableNames): TableDefinition {
  return {
    TableName: events,
    KeySchema: keySchema('id', 'item'),
    AttributeDefinitions: texts('id', 'item', 'streamSeq'),
    LocalSecondaryIndexes: [
      { IndexName: STREAM_INDEX, KeySchema: keySchema('id', 'streamSeq'), Projection: { ProjectionType: 'ALL' } },
    ],
  };
}

function settings({ GlobalSecondaryIndexes = [] }: TableDefinition, options: CreateOptions) {
  const { billing, encryption, deletionProtection } = options;
  const sse = encryptionOf(encryption);
  const protection = {
    ...(sse && { SSESpecification: sse }),
    ...(deletionProtection && { DeletionProtectionEnabled: true }),
  };
  if (billing === 'on-demand') return { ...protection, BillingMode: 'PAY_PER_REQUEST' as const };
  const ProvisionedThroughput = { ReadCapacityUnits: billing.read, WriteCapacityUnits: billing.write };
  const indexes = GlobalSecondaryIndexes.map((index) => ({ ...index, ProvisionedThroughput }));
  return {
    ...protection,
    BillingMode: 'PROVISIONED' as const,
    ProvisionedThroughput,
    ...(indexes.length > 0 && { GlobalSecondaryIndexes: indexes }),
  };
}

function encryptionOf(encryption: string): SSESpecification | undefined {
  if (encryption === 'aws-owned') return undefined;
  if (encryption === 'aws-managed') return { Enabled: true, SSEType: 'KMS' };
  return { Enabled: true, SSEType: 'KMS', KMSMasterKeyId: encryption };
}

function keySchema(partition: string, sort: string): KeySchemaElement[] {
  return [
    { AttributeName: partition, KeyType: 'HASH' },
    { AttributeName: sort, KeyType: 'RANGE' },
  ];
}

function texts(...names: string[]) {
  return names.map((AttributeName) => ({ AttributeName, AttributeType: 'S' as const }));
}

function unless(name: string): (error: unknown) => undefined {
  return (error) => {
    if (!(error instanceof Error) || error.name !== name) throw error;
    return undefined;
  };
}
