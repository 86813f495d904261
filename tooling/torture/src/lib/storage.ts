import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DynamoDBClient, paginateScan } from '@aws-sdk/client-dynamodb';
import {
  createTestSchema,
  createTestTables,
  dynamoDbConfig,
  openDatabase,
  openOwnServer,
  type OwnServer,
} from '@mcp-session-tooling/databases';
import connectSqlite from 'better-sqlite3';
import connectPostgres from 'postgres';
import type { Address, BackendName } from './backends.ts';

/** How many rows or items each table holds. */
export type RowCounts = Readonly<Record<string, number>>;

/** The storage of a run. */
export interface Storage {
  readonly address: Address;
  /** The server, if the run may kill it. */
  readonly server: OwnServer | undefined;
  countRows(): Promise<RowCounts>;
  dispose(): Promise<void>;
}

/**
 * A server for the run. With `address` it uses a running server; otherwise it starts one, which the
 * run may kill.
 */
export async function openStorage(backend: BackendName, url?: string): Promise<Storage> {
  switch (backend) {
    case 'sqlite':
      return openSqlite();
    case 'postgres':
      return openPostgres(url);
    case 'dynamodb':
      return openDynamoDb(url);
  }
}

function openSqlite(): Storage {
  const folder = mkdtempSync(join(tmpdir(), 'mcp-session-torture-'));
  const path = join(folder, 'sessions.db');
  return {
    address: { backend: 'sqlite', path },
    server: undefined,
    countRows: () => {
      const database = connectSqlite(path, { readonly: true });
      try {
        const names = database.prepare(`select name from sqlite_master where type = 'table'`).pluck().all() as string[];
        return Promise.resolve(
          Object.fromEntries(
            names.map((name) => [name, Number(database.prepare(`select count(*) from "${name}"`).pluck().get())]),
          ),
        );
      } finally {
        database.close();
      }
    },
    dispose: () => {
      rmSync(folder, { recursive: true, force: true });
      return Promise.resolve();
    },
  };
}

async function openPostgres(given: string | undefined): Promise<Storage> {
  const server = given === undefined ? await openOwnServer('postgres') : undefined;
  const made = await createTestSchema(given ?? server?.url ?? '');
  const { url, schema } = made;
  return {
    // Its connections have their own name, so that the run cuts only them.
    address: { backend: 'postgres', url: named(url, schema), schema },
    server,
    countRows: async () => {
      const sql = connectPostgres(url, { max: 1, onnotice: () => undefined });
      try {
        const tables = await sql<{ name: string }[]>`
          select table_name as name from information_schema.tables where table_schema = ${schema}`;
        const counts: [string, number][] = [];
        for (const { name } of tables) {
          const [row] = await sql<{ n: number }[]>`select count(*)::int4 as n from ${sql(`${schema}.${name}`)}`;
          counts.push([name, row?.n ?? 0]);
        }
        return Object.fromEntries(counts);
      } finally {
        await sql.end();
      }
    },
    dispose: async () => {
      if (server === undefined) await made.dispose();
      else await server.close();
    },
  };
}

async function openDynamoDb(given: string | undefined): Promise<Storage> {
  const server = given === undefined ? await openDatabase('dynamodb') : undefined;
  const url = given ?? server?.url ?? '';
  const tables = createTestTables(url);
  const { prefix } = tables;
  return {
    address: { backend: 'dynamodb', url, prefix },
    // DynamoDB Local keeps its data in memory, so killing it would not show what DynamoDB does.
    server: undefined,
    countRows: async () => {
      const client = new DynamoDBClient(dynamoDbConfig(url));
      try {
        const count = async (TableName: string): Promise<[string, number]> => {
          let items = 0;
          for await (const page of paginateScan({ client }, { TableName, Select: 'COUNT' })) items += page.Count ?? 0;
          return [TableName, items];
        };
        return Object.fromEntries(await Promise.all([count(`${prefix}sessions`), count(`${prefix}events`)]));
      } finally {
        client.destroy();
      }
    },
    dispose: async () => {
      await tables.dispose();
      await server?.close();
    },
  };
}

function named(url: string, name: string): string {
  const own = new URL(url);
  own.searchParams.set('application_name', name);
  return own.href;
}
