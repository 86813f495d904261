import {
  CreateTableCommand,
  DynamoDBClient,
  UpdateTimeToLiveCommand,
  type CreateTableCommandInput,
} from '@aws-sdk/client-dynamodb';
import { createDynamoDbStore } from '@mcp-session/dynamodb';
import { dynamoDbConfig } from '@mcp-session-tooling/databases';
import { readFileSync } from 'node:fs';
import { expect, inject, it, onTestFinished } from 'vitest';
import { eventsTable, sessionsTable, type TableDefinition } from '../src/lib/migrate/tables.ts';
import { callEverything } from './support/call-everything.ts';
import { openBehindProxy } from './support/open.ts';
import type { Passed } from './support/proxy.ts';
import { newStorage, optionsOf } from './support/storage.ts';

interface Statement {
  readonly Sid: string;
  readonly Action: readonly string[];
  readonly Resource: unknown;
}

interface Resource {
  readonly Properties: CreateTableCommandInput & {
    readonly PolicyDocument: { readonly Statement: readonly Statement[] };
  };
}

interface TerraformTable {
  readonly hash_key: string;
  readonly range_key: string;
  readonly attribute: readonly { readonly name: string; readonly type: 'S' }[];
  readonly ttl: { readonly attribute_name: string; readonly enabled: boolean };
  readonly point_in_time_recovery: object;
  readonly deletion_protection_enabled: string;
  readonly server_side_encryption: object;
  readonly global_secondary_index?: readonly TerraformIndex[];
  readonly local_secondary_index?: readonly TerraformIndex[];
}

interface TerraformIndex {
  readonly name: string;
  readonly hash_key?: string;
  readonly range_key: string;
  readonly projection_type: string;
}

interface Terraform {
  readonly resource: {
    readonly aws_dynamodb_table: { readonly sessions: TerraformTable; readonly events: TerraformTable };
  };
  readonly data: {
    readonly aws_iam_policy_document: {
      readonly sessions: {
        readonly statement: readonly {
          readonly sid: string;
          readonly actions: readonly string[];
          readonly resources: readonly string[];
        }[];
      };
    };
  };
}

function document(name: string): unknown {
  return JSON.parse(readFileSync(new URL(`../infrastructure/${name}`, import.meta.url), 'utf8')) as unknown;
}

const { Resources } = document('cloudformation.json') as {
  Resources: Record<'SessionsTable' | 'EventsTable' | 'Policy', Resource>;
};
const terraform = document('terraform.tf.json') as Terraform;
const policy = document('policy.json') as { Statement: readonly Statement[] };

const names = { sessions: 'mcp-sessions', events: 'mcp-session-events' };
const definitions = { sessions: sessionsTable(names), events: eventsTable(names) };

it('the CloudFormation template creates tables that work with the code', async () => {
  const { url, prefix, dispose } = newStorage(inject('dynamodb').url);
  const client = new DynamoDBClient(dynamoDbConfig(url));
  onTestFinished(async () => {
    await dispose();
    client.destroy();
  });
  for (const [name, { Properties }] of [
    ['sessions', Resources.SessionsTable],
    ['events', Resources.EventsTable],
  ] as const) {
    const { TableName: _name, ...properties } = Properties;
    const { TableName: _defined, ...defined } = definitions[name];
    expect(properties).toMatchObject(defined);
    const {
      TimeToLiveSpecification,
      PointInTimeRecoverySpecification,
      DeletionProtectionEnabled,
      SSESpecification,
      ...input
    } = properties as typeof properties & {
      readonly TimeToLiveSpecification: { readonly AttributeName: string; readonly Enabled: boolean };
      readonly PointInTimeRecoverySpecification: unknown;
    };
    expect(PointInTimeRecoverySpecification).toEqual({ PointInTimeRecoveryEnabled: { Ref: 'PointInTimeRecovery' } });
    expect(DeletionProtectionEnabled).toEqual({ Ref: 'DeletionProtection' });
    expect(SSESpecification).toMatchObject({ 'Fn::If': ['OwnKey', { KMSMasterKeyId: { Ref: 'KmsKeyArn' } }, {}] });
    const TableName = `${prefix}${name}`;
    await client.send(new CreateTableCommand({ ...input, TableName }));
    await client.send(new UpdateTimeToLiveCommand({ TableName, TimeToLiveSpecification }));
  }
  const store = await createDynamoDbStore({ ...optionsOf({ url, prefix }), autoCreateTables: false });
  const session = await store.create({ principal: 'p' });
  await session.events.append('x', 1);
  const { sessions } = await store.list({ principal: 'p' });
  expect(sessions.map(({ id }) => id)).toEqual([session.id]);
  expect((await session.events.recent(10, 'x')).map(({ seq }) => seq)).toEqual([1]);
  await store.close();
});

it.each(['sessions', 'events'] as const)('the Terraform document says the same of the table of %s', (name) => {
  const table = terraform.resource.aws_dynamodb_table[name];
  const index = (one: TerraformIndex) => ({
    IndexName: one.name,
    KeySchema: keySchema(one.hash_key ?? table.hash_key, one.range_key),
    Projection: { ProjectionType: one.projection_type },
  });
  const defined: TableDefinition = {
    TableName: names[name],
    KeySchema: keySchema(table.hash_key, table.range_key),
    AttributeDefinitions: table.attribute.map(({ name: AttributeName, type }) => ({
      AttributeName,
      AttributeType: type,
    })),
    ...(table.global_secondary_index && { GlobalSecondaryIndexes: table.global_secondary_index.map(index) as never }),
    ...(table.local_secondary_index && { LocalSecondaryIndexes: table.local_secondary_index.map(index) as never }),
  };
  expect(defined).toEqual(definitions[name]);
  expect(table.ttl).toEqual({ attribute_name: 'ttl', enabled: true });
  expect(table.point_in_time_recovery).toEqual({ enabled: '${var.point_in_time_recovery}' });
  expect(table.deletion_protection_enabled).toBe('${var.deletion_protection}');
  expect(table.server_side_encryption).toMatchObject({ kms_key_arn: '${var.kms_key_arn}' });
});

it('the policies name the indexes', () => {
  const ends = (resources: unknown) =>
    (JSON.stringify(resources).match(/[\w-]+(?="|"\})/g) ?? []).filter((name) => name.startsWith('by-'));
  const indexes = [
    ...(definitions.sessions.GlobalSecondaryIndexes ?? []),
    ...(definitions.events.LocalSecondaryIndexes ?? []),
  ].map(({ IndexName }) => IndexName);
  const { statement } = terraform.data.aws_iam_policy_document.sessions;
  for (const resources of [
    policy.Statement.find(({ Sid }) => Sid === 'Indexes')?.Resource,
    Resources.Policy.Properties.PolicyDocument.Statement.find(({ Sid }) => Sid === 'Indexes')?.Resource,
    statement.find(({ sid }) => sid === 'Indexes')?.resources,
  ]) {
    expect(ends(resources)).toEqual(indexes);
  }
});

it(
  'the policies allow what is called, on each table and its indexes, and nothing else',
  { timeout: 60_000 },
  async () => {
    const { proxy, open, through } = await openBehindProxy();
    const backend = await open();
    await callEverything(backend);
    const seen = { Sessions: new Set<string>(), Events: new Set<string>(), Indexes: new Set<string>() };
    for (const { table, action, index } of proxy.passed.flatMap(actionsOf)) {
      if (/Table|TimeToLive/.test(action)) continue;
      if (index) seen.Indexes.add(action);
      else seen[table === `${through.prefix}sessions` ? 'Sessions' : 'Events'].add(action);
    }
    const allowed = (statements: readonly Statement[]) =>
      Object.fromEntries(statements.map(({ Sid, Action }) => [Sid, Action]));
    const called = Object.fromEntries(
      Object.entries(seen).map(([name, actions]) => [
        name,
        [...actions].map((action) => `dynamodb:${action}`).toSorted(),
      ]),
    );
    expect(allowed(policy.Statement)).toEqual(called);
    expect(allowed(Resources.Policy.Properties.PolicyDocument.Statement)).toEqual(called);
    const { statement } = terraform.data.aws_iam_policy_document.sessions;
    expect(Object.fromEntries(statement.map(({ sid, actions }) => [sid, actions]))).toEqual(called);
  },
);

/**
 * The permissions that a request needs
 * (docs.aws.amazon.com/amazondynamodb/latest/developerguide/transaction-apis-iam.html).
 */
function actionsOf({
  operation,
  body,
}: Passed): { readonly table: string; readonly action: string; readonly index: boolean }[] {
  const actions = {
    Put: 'PutItem',
    Update: 'UpdateItem',
    Delete: 'DeleteItem',
    ConditionCheck: 'ConditionCheckItem',
    Get: 'GetItem',
  };
  if (operation.startsWith('Transact')) {
    return (body['TransactItems'] as Record<keyof typeof actions, { readonly TableName: string }>[]).flatMap((item) =>
      Object.entries(item).map(([kind, { TableName }]) => ({
        table: TableName,
        action: actions[kind as keyof typeof actions],
        index: false,
      })),
    );
  }
  if (operation.startsWith('Batch')) {
    return Object.keys(body['RequestItems'] as object).map((table) => ({ table, action: operation, index: false }));
  }
  return [{ table: String(body['TableName']), action: operation, index: body['IndexName'] !== undefined }];
}

function keySchema(partition: string, sort: string) {
  return [
    { AttributeName: partition, KeyType: 'HASH' as const },
    { AttributeName: sort, KeyType: 'RANGE' as const },
  ];
}
