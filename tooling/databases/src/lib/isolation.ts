import {
  DeleteTableCommand,
  DynamoDBClient,
  ResourceNotFoundException,
  paginateListTables,
} from '@aws-sdk/client-dynamodb';
import connect from 'postgres';
import { type DynamoDbConfig, dynamoDbConfig } from './dynamodb.ts';

/** An empty schema of one test, in a PostgreSQL that is shared with others. */
export interface TestSchema extends AsyncDisposable {
  readonly url: string;

  /** Its name: lower-case letters, digits and underscores. */
  readonly schema: string;

  /** Drops the schema with its contents. Safe to repeat. */
  dispose(): Promise<void>;
}

/**
 * An empty database of one test, in a PostgreSQL server that is shared with others: for programs
 * that choose their schema themselves.
 */
export interface TestDatabase extends AsyncDisposable {
  readonly url: string;

  /** Drops the database, and the connections to it. Safe to repeat. */
  dispose(): Promise<void>;
}

/** A part of the table names of a DynamoDB that is shared with others. */
export interface TestTables extends AsyncDisposable {
  /** Prefix of the names of all tables of this test. */
  readonly prefix: string;

  /** For the `DynamoDBClient` of the test. */
  readonly config: DynamoDbConfig;

  /** Deletes all tables whose names begin with the prefix. Safe to repeat. */
  dispose(): Promise<void>;
}

/** Creates a schema with a random name in the PostgreSQL at `url`. */
export async function createTestSchema(url: string): Promise<TestSchema> {
  const schema = `test_${randomPart()}`;
  await withPostgres(url, async (sql) => void (await sql`create schema ${sql(schema)}`));
  const dispose = (): Promise<void> =>
    withPostgres(url, async (sql) => {
      // A test may have left a transaction open, which holds locks. An error is better than a hang.
      await sql`set lock_timeout = '10s'`;
      await sql`drop schema if exists ${sql(schema)} cascade`;
    });
  return { url, schema, dispose, [Symbol.asyncDispose]: dispose };
}

/** Creates a database with a random name in the PostgreSQL server at `url`. */
export async function createTestDatabase(url: string): Promise<TestDatabase> {
  const name = `test_${randomPart()}`;
  await withPostgres(url, async (sql) => void (await sql`create database ${sql(name)}`));
  const dispose = (): Promise<void> =>
    withPostgres(url, async (sql) => void (await sql`drop database if exists ${sql(name)} with (force)`));
  const own = new URL(url);
  own.pathname = `/${name}`;
  return { url: own.href, dispose, [Symbol.asyncDispose]: dispose };
}

/**
 * Returns a random prefix for tables in the DynamoDB at `url`. The test creates the tables.
 */
export function createTestTables(url: string): TestTables {
  const prefix = `test-${randomPart()}-`;
  const config = dynamoDbConfig(url);
  const dispose = async (): Promise<void> => {
    const client = new DynamoDBClient(config);
    try {
      const names: string[] = [];
      for await (const page of paginateListTables({ client }, {})) names.push(...(page.TableNames ?? []));
      const own = names.filter((name) => name.startsWith(prefix));
      await Promise.all(own.map((name) => deleteTable(client, name)));
    } finally {
      client.destroy();
    }
  };
  return { prefix, config, dispose, [Symbol.asyncDispose]: dispose };
}

async function withPostgres(url: string, use: (sql: connect.Sql) => Promise<void>): Promise<void> {
  const sql = connect(url, { max: 1, onnotice: () => undefined });
  try {
    await use(sql);
  } finally {
    await sql.end({ timeout: 5 });
  }
}

async function deleteTable(client: DynamoDBClient, TableName: string): Promise<void> {
  try {
    await client.send(new DeleteTableCommand({ TableName }));
  } catch (error) {
    if (!(error instanceof ResourceNotFoundException)) throw error;
  }
}

function randomPart(): string {
  return crypto.randomUUID().replaceAll('-', '').slice(0, 16);
}
