import {
  CreateTableCommand,
  DynamoDBClient,
  UpdateTimeToLiveCommand,
  type CreateTableCommandInput,
} from '@aws-sdk/client-dynamodb';
import type { SessionBackend } from '@mcp-session/core';
import { createDynamoDbStore } from '@mcp-session/dynamodb';
import { dynamoDbConfig } from '@mcp-session-tooling/databases';
import { readFileSync } from 'node:fs';
import { expect, inject, it, onTestFinished } from 'vitest';
import { eventsTable, sessionsTable, type TableDefinition } from '../src/lib/table.ts';
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
        readonly statement: readonly { readonly sid: string; readonly actions: readonly string[] }[];
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

it('the CloudFormation template makes tables that the code works on', async () => {
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
      PointInTimeRecoverySpecification: _recovery,
      ...input
    } = properties as typeof properties & {
      readonly TimeToLiveSpecification: { readonly AttributeName: string; readonly Enabled: boolean };
      readonly PointInTimeRecoverySpecification: unknown;
    };
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
});

it(
  'the policies allow what is called, on each table and its indexes, and nothing else',
  { timeout: 60_000 },
  async () => {
    const { proxy, open, through } = await openBehindProxy();
    const backend = open();
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

const NOW = 1_800_000_000_000;
const HOUR = 3_600_000;
const MONTH = 30 * 24 * HOUR;

/** Takes every way through the code that sends another kind of request. */
async function callEverything(backend: SessionBackend): Promise<void> {
  const limits = { maxKeys: 100, maxBytes: 1e9 };
  const bound = { maxEvents: 0, maxBytes: undefined, createdBefore: undefined, throughSeq: undefined, limit: 5_000 };
  await backend.migrate();
  await backend.ping();
  await backend.createSession({ id: 's', kind: 'session', principal: 'p', profile: '{}', expiresAt: NOW + HOUR }, NOW);
  await backend.readSession('s', NOW);
  await backend.updateSession('s', { profile: '1', expectedVersion: 1, expiresAt: undefined }, NOW);
  for (const [key, value, expectedVersion] of [
    ['a', '1', 0],
    ['b', 'x'.repeat(400_000), 0],
    ['b', '2', 2],
    ['a', undefined, 1],
    ['c', undefined, 0],
  ] as const)
    await backend.commitState(
      { sessionId: 's', writes: [{ key, value, bytes: 1, expectedVersion }], limits, expiresAt: undefined },
      NOW,
    );
  await backend.readState('s', ['a'], NOW);
  await backend.readState('s', ['a', 'b'], NOW);
  await backend.readState('s', undefined, NOW);
  await backend.clearState('s', undefined, NOW);
  for (let n = 0; n < 2_050; n += 50) {
    const events = Array.from({ length: 50 }, () => ({ streamId: 'x', message: '1', bytes: 1 }));
    await backend.appendEvents([{ sessionId: 's', token: `t${n}`, events, expiresAt: undefined }], NOW);
  }
  for (const streamId of [undefined, 'x'])
    await backend.readEvents({ sessionId: 's', streamId, afterSeq: 1, limit: 5, maxBytes: 100 }, NOW);
  await backend.trimEvents('s', bound, NOW);
  await backend.readHeads(['s'], NOW);
  for (const principal of [undefined, 'p']) {
    await backend.listSessions({ kind: 'session', principal, afterId: undefined, limit: 10 }, NOW);
    await backend.countSessions({ kind: 'session', principal }, NOW);
  }
  await backend.touchSession('s', NOW + MONTH, NOW);
  await backend.sweep(1_000, NOW + 2 * HOUR);
  await backend.endSession('s', NOW + HOUR, NOW);
  for (let done = false; !done;) ({ done } = await backend.sweep(1_000, NOW + 2 * MONTH));
}

/** The permissions that a request needs (docs.aws.amazon.com/amazondynamodb/latest/developerguide/transaction-apis-iam.html). */
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
  if (operation.startsWith('Transact'))
    return (body['TransactItems'] as Record<keyof typeof actions, { readonly TableName: string }>[]).flatMap((item) =>
      Object.entries(item).map(([kind, { TableName }]) => ({
        table: TableName,
        action: actions[kind as keyof typeof actions],
        index: false,
      })),
    );
  if (operation.startsWith('Batch'))
    return Object.keys(body['RequestItems'] as object).map((table) => ({ table, action: operation, index: false }));
  return [{ table: String(body['TableName']), action: operation, index: body['IndexName'] !== undefined }];
}

function keySchema(partition: string, sort: string) {
  return [
    { AttributeName: partition, KeyType: 'HASH' as const },
    { AttributeName: sort, KeyType: 'RANGE' as const },
  ];
}
