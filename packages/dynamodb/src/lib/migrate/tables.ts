import type { CreateTableCommandInput, KeySchemaElement, SSESpecification } from '@aws-sdk/client-dynamodb';
import type { CreateOptions, TableNames } from '../options.ts';
import { KIND_INDEX, PRINCIPAL_INDEX, STREAM_INDEX } from '../schema.ts';

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

/** Billing, encryption and protection of a new table. */
export function creationInput(
  { GlobalSecondaryIndexes = [] }: TableDefinition,
  options: CreateOptions,
): Partial<CreateTableCommandInput> {
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
