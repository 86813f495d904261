import {
  DescribeTableCommand,
  DescribeTimeToLiveCommand,
  DynamoDBClient,
  paginateListTables,
  PutItemCommand,
} from '@aws-sdk/client-dynamodb';
import { createDynamoDbBackend, createDynamoDbStore } from '@mcp-session/dynamodb';
import { dynamoDbConfig } from '@mcp-session-tooling/databases';
import { describe, expect, inject, it, onTestFinished } from 'vitest';
import { run } from './support/children.ts';
import { openBehindProxy } from './support/open.ts';
import { newStorage, optionsOf } from './support/storage.ts';
import { operations } from './support/counting.ts';
import { Proxy } from './support/proxy.ts';

function newTables() {
  const { url, prefix, dispose } = newStorage(inject('dynamodb').url);
  const client = new DynamoDBClient(dynamoDbConfig(url));
  onTestFinished(async () => {
    await dispose();
    client.destroy();
  });
  return { storage: { url, prefix }, client, names: [`${prefix}events`, `${prefix}sessions`] };
}

async function tablesOf({ client, names }: ReturnType<typeof newTables>): Promise<readonly string[]> {
  // The server may hold hundreds of tables, of other tests.
  const all: string[] = [];
  for await (const { TableNames = [] } of paginateListTables({ client }, {})) all.push(...TableNames);
  return names.filter((name) => all.includes(name));
}

it('creates both tables on demand, with time to live', async () => {
  const tables = newTables();
  const store = await createDynamoDbStore(optionsOf(tables.storage));
  await store.close();
  for (const TableName of tables.names) {
    const { Table } = await tables.client.send(new DescribeTableCommand({ TableName }));
    expect(Table?.BillingModeSummary?.BillingMode).toBe('PAY_PER_REQUEST');
    const { TimeToLiveDescription } = await tables.client.send(new DescribeTimeToLiveCommand({ TableName }));
    expect(TimeToLiveDescription).toMatchObject({ AttributeName: 'ttl', TimeToLiveStatus: 'ENABLED' });
  }
});

it('creates them with the capacity that was asked for', async () => {
  const tables = newTables();
  const store = await createDynamoDbStore({ ...optionsOf(tables.storage), billing: { read: 7, write: 3 } });
  await store.close();
  const { Table } = await tables.client.send(new DescribeTableCommand({ TableName: tables.names[1] }));
  const capacity = { ReadCapacityUnits: 7, WriteCapacityUnits: 3 };
  expect(Table?.ProvisionedThroughput).toMatchObject(capacity);
  for (const index of Table?.GlobalSecondaryIndexes ?? []) expect(index.ProvisionedThroughput).toMatchObject(capacity);
});

it('is safe if many processes start at once without tables', { timeout: 60_000 }, async () => {
  const tables = newTables();
  const { storage } = tables;
  await Promise.all([
    ...Array.from({ length: 4 }, () => run('start.ts', storage)),
    ...Array.from({ length: 4 }, async () => (await createDynamoDbStore(optionsOf(storage))).close()),
  ]);
  expect(await tablesOf(tables)).toEqual(tables.names);
});

it('creates a missing table if the other exists', async () => {
  const tables = newTables();
  const { names, storage } = tables;
  const options = optionsOf(storage);
  await (await createDynamoDbStore({ ...options, eventsTable: `${storage.prefix}other` })).close();
  expect(await tablesOf(tables)).toEqual([names[1]]);
  await (await createDynamoDbStore(options)).close();
  expect(await tablesOf(tables)).toEqual(names);
});

it('costs one read if the tables exist: no Describe', async () => {
  const { proxy, through } = await openBehindProxy();
  const passed = await proxy.during(async () => (await createDynamoDbStore(optionsOf(through))).close());
  expect(operations(passed)).toEqual(['BatchGetItem']);
});

it('creates nothing by default, and says what to do', async () => {
  const tables = newTables();
  const opening = createDynamoDbStore({ ...optionsOf(tables.storage), autoCreateTables: false });
  await expect(opening).rejects.toMatchObject({
    code: 'STORE_UNAVAILABLE',
    retryable: false,
    message: expect.stringContaining('autoCreateTables'),
  });
  expect(await tablesOf(tables)).toEqual([]);
});

it('enables recovery and encryption on request', async () => {
  const tables = newTables();
  const proxy = await Proxy.start(tables.storage.url);
  onTestFinished(() => proxy.close());
  const options = optionsOf({ ...tables.storage, url: proxy.url });
  // DynamoDB Local knows no backups: what it is asked for shows that they are wanted.
  const opening = createDynamoDbStore({ ...options, pointInTimeRecovery: true, encryption: 'alias/own' });
  await expect(opening).rejects.toMatchObject({ cause: { name: 'UnknownOperationException' } });
  const create = proxy.passed.find(({ operation }) => operation === 'CreateTable');
  expect(create?.body['SSESpecification']).toEqual({ Enabled: true, SSEType: 'KMS', KMSMasterKeyId: 'alias/own' });
  expect(operations(proxy.passed)).toContain('UpdateContinuousBackups');
});

it('refuses tables of a newer version and leaves them as they are', async () => {
  const { storage, client, names } = newTables();
  await (await createDynamoDbStore(optionsOf(storage))).close();
  const Item = { id: { S: 'mcp-session schema' }, item: { S: 'schema' }, version: { N: '2' } };
  await client.send(new PutItemCommand({ TableName: names[1], Item }));
  await expect(createDynamoDbStore(optionsOf(storage))).rejects.toMatchObject({ code: 'STORE_SCHEMA_TOO_NEW' });
});

it('leaves the client of the caller open', async () => {
  const { storage, client, names } = newTables();
  const options = { ...optionsOf(storage), client };
  await (await createDynamoDbStore(options)).close();
  expect((await client.send(new DescribeTableCommand({ TableName: names[0] }))).Table?.TableName).toBe(names[0]);
});

it('takes region and endpoint instead of a client', async () => {
  const { storage } = newTables();
  const { client: _client, ...names } = optionsOf(storage);
  process.env['AWS_ACCESS_KEY_ID'] = 'test';
  process.env['AWS_SECRET_ACCESS_KEY'] = 'test';
  onTestFinished(() => {
    delete process.env['AWS_ACCESS_KEY_ID'];
    delete process.env['AWS_SECRET_ACCESS_KEY'];
  });
  const store = await createDynamoDbStore({ ...names, region: 'eu-central-1', endpoint: storage.url });
  expect((await store.create()).id).toHaveLength(36);
  await store.close();
});

it('says that credentials were refused', async () => {
  const { proxy, open } = await openBehindProxy();
  for (const name of ['AccessDeniedException', 'UnrecognizedClientException', 'ExpiredTokenException']) {
    proxy.fault = () => ({ kind: 'error', status: 400, name });
    await expect((await open()).ping()).rejects.toMatchObject({
      code: 'STORE_DENIED',
      retryable: false,
      cause: { name },
    });
  }
});

describe('invalid options', () => {
  const client = new DynamoDBClient(dynamoDbConfig('http://127.0.0.1:1'));
  it.each<[string, unknown, typeof TypeError | typeof RangeError]>([
    ['sessionsTable', '', RangeError],
    ['sessionsTable', 'a b', RangeError],
    ['sessionsTable', 1, TypeError],
    ['sessionsTable', null, TypeError],
    ['sessionsTable', undefined, TypeError],
    ['eventsTable', undefined, TypeError],
    ['region', undefined, TypeError],
    ['endpoint', undefined, TypeError],
    ['endpoint', null, TypeError],
    ['client', undefined, TypeError],
    ['encryption', undefined, TypeError],
    ['eventsTable', 'mcp-sessions', RangeError],
    ['region', '', RangeError],
    ['endpoint', 1, TypeError],
    ['client', {}, TypeError],
    ['autoCreateTables', 'yes', TypeError],
    ['billing', 'cheap', RangeError],
    ['billing', { read: 0, write: 1 }, RangeError],
    ['pointInTimeRecovery', 1, TypeError],
    ['encryption', '', RangeError],
    ['maxAttempts', 0, RangeError],
    ['maxConflicts', 1.5, RangeError],
    ['requestTimeoutMs', '1', TypeError],
  ])('%s: %j', async (name, value, type) => {
    const opening = createDynamoDbBackend({ [name]: value });
    await expect(opening).rejects.toThrow(type);
    await expect(opening).rejects.toThrow(name);
  });

  it.each(['region', 'endpoint', 'requestTimeoutMs'])('client with %s', async (name) => {
    const opening = createDynamoDbBackend({ client, [name]: name === 'requestTimeoutMs' ? 1 : 'x' });
    await expect(opening).rejects.toThrow(name);
  });
});
