import { setTimeout } from 'node:timers/promises';
import {
  CreateTableCommand,
  DynamoDBClient,
  GetItemCommand,
  PutItemCommand,
  ScanCommand,
  TransactWriteItemsCommand,
} from '@aws-sdk/client-dynamodb';
import connect from 'postgres';
import { expect } from 'vitest';
import {
  createTestDatabase,
  createTestSchema,
  createTestTables,
  dynamoDbConfig,
  type OwnServer,
} from '../../src/index.ts';

/**
 * Uses a PostgreSQL as a test of a backend would: a schema of its own, or a database, which is gone
 * afterwards.
 */
export async function exercisePostgres(url: string): Promise<void> {
  const sql = connect(url, { max: 1, onnotice: () => undefined });
  try {
    const { schema, dispose } = await createTestSchema(url);
    await sql`create table ${sql(schema)}.notes (id int primary key, text text)`;
    await sql`insert into ${sql(schema)}.notes values (1, 'first')`;
    expect(await sql`select text from ${sql(schema)}.notes`).toEqual([{ text: 'first' }]);

    await dispose();
    await dispose();
    expect(await sql`select 1 as one from information_schema.schemata where schema_name = ${schema}`).toEqual([]);

    const database = await createTestDatabase(url);
    const own = connect(database.url, { max: 1, onnotice: () => undefined });
    const [{ name } = { name: '' }] = await own<[{ name: string }]>`select current_database() as name`;
    expect(database.url).toContain(name);
    await database.dispose();
    await database.dispose();
    expect(await sql`select 1 as one from pg_database where datname = ${name}`).toEqual([]);
    await own.end();
  } finally {
    await sql.end();
  }
}

/**
 * Uses a DynamoDB as a test of a backend would: tables of its own, which are gone afterwards,
 * transactions included.
 */
export async function exerciseDynamoDb(url: string): Promise<void> {
  const { prefix, config, dispose } = createTestTables(url);
  const client = new DynamoDBClient(config);
  try {
    const TableName = `${prefix}notes`;
    await createTable(client, TableName);
    await client.send(new PutItemCommand({ TableName, Item: { id: { S: 'a' }, version: { N: '1' } } }));
    const update = (expected: string): TransactWriteItemsCommand =>
      new TransactWriteItemsCommand({
        TransactItems: [
          {
            Update: {
              TableName,
              Key: { id: { S: 'a' } },
              UpdateExpression: 'add version :one',
              ConditionExpression: 'version = :expected',
              ExpressionAttributeValues: { ':one': { N: '1' }, ':expected': { N: expected } },
            },
          },
          { Put: { TableName, Item: { id: { S: `event ${expected}` } } } },
        ],
      });
    await client.send(update('1'));
    await expect(client.send(update('1'))).rejects.toThrow('ConditionalCheckFailed');
    const { Item } = await client.send(
      new GetItemCommand({ TableName, Key: { id: { S: 'a' } }, ConsistentRead: true }),
    );
    expect(Item).toEqual({ id: { S: 'a' }, version: { N: '2' } });

    await dispose();
    await dispose();
    await expect(client.send(new ScanCommand({ TableName }))).rejects.toThrow('non-existent table');
  } finally {
    client.destroy();
  }
}

/**
 * Kills and restarts a PostgreSQL under an open connection: each acknowledged row is there
 * afterwards, at the same URL.
 */
export async function exercisePostgresFaults(server: OwnServer): Promise<void> {
  // One connection that is at work when its server dies, and one that comes back by itself.
  const busy = connect(server.url, { max: 1, onnotice: () => undefined });
  const sql = connect(server.url, { max: 1, onnotice: () => undefined });
  try {
    await sql`create table notes (id int primary key)`;
    await sql`insert into notes values (1)`;
    await busy`select 1`;
    const cut = busy`select count(*) from generate_series(1, 100000) as a, generate_series(1, 100000) as b`.catch(
      (error: unknown) => error,
    );
    await sql`insert into notes values (2)`;

    await server.kill();
    expect(await cut).toBeInstanceOf(Error);
    await expect(connect(server.url, { max: 1, connect_timeout: 2 })`select 1`).rejects.toThrow(/ECONN|CONNECT/);
    await server.start();
    expect(await rows(sql)).toEqual([1, 2]);

    await server.restart();
    expect(await rows(sql)).toEqual([1, 2]);
  } finally {
    await Promise.all([sql.end({ timeout: 1 }), busy.end({ timeout: 1 })]);
  }
}

/** Kills and restarts a DynamoDB: its tables are there afterwards, at the same URL. */
export async function exerciseDynamoDbFaults(server: OwnServer): Promise<void> {
  const client = new DynamoDBClient({ ...dynamoDbConfig(server.url), maxAttempts: 1 });
  const TableName = 'notes';
  const read = async (): Promise<unknown> =>
    (await client.send(new GetItemCommand({ TableName, Key: { id: { S: 'a' } }, ConsistentRead: true }))).Item;
  try {
    await createTable(client, TableName);
    await client.send(new PutItemCommand({ TableName, Item: { id: { S: 'a' } } }));

    await server.kill();
    await expect(read()).rejects.toThrow(/ECONN|socket/);
    await server.start();
    expect(await read()).toEqual({ id: { S: 'a' } });

    await server.stop();
    await server.stop();
    await server.start();
    await server.start();
    expect(await read()).toEqual({ id: { S: 'a' } });
  } finally {
    client.destroy();
  }
}

async function createTable(client: DynamoDBClient, TableName: string): Promise<void> {
  await client.send(
    new CreateTableCommand({
      TableName,
      BillingMode: 'PAY_PER_REQUEST',
      AttributeDefinitions: [{ AttributeName: 'id', AttributeType: 'S' }],
      KeySchema: [{ AttributeName: 'id', KeyType: 'HASH' }],
    }),
  );
}

/** A connection that was cut is made anew by the first query that finds it closed. */
async function rows(sql: connect.Sql): Promise<number[]> {
  for (let attempt = 1; ; attempt++) {
    try {
      return (await sql<{ id: number }[]>`select id from notes order by id`).map(({ id }) => id);
    } catch (error) {
      if (attempt === 20) throw error;
      await setTimeout(50);
    }
  }
}
