import type { TableDescription } from '@aws-sdk/client-dynamodb';
import { SessionError } from '@mcp-session/core';
import { versionOf, type Diagnosis } from '@mcp-session/core/backend';
import type { Connection } from './connection.ts';
import { describeTable } from './migrate.ts';
import { eventsTable, sessionsTable } from './migrate/tables.ts';

/** Looks at the tables for what an operator has to know. */
export async function diagnose(connection: Connection): Promise<readonly Diagnosis[]> {
  const { tables } = connection;
  const found: Diagnosis[] = [
    {
      check: 'versions',
      status: 'ok',
      found: `@aws-sdk/client-dynamodb ${versionOf('@aws-sdk/client-dynamodb', import.meta.url) ?? 'of unknown version'}`,
    },
  ];
  for (const definition of [sessionsTable(tables), eventsTable(tables)]) {
    const name = definition.TableName ?? '';
    const table = await described(connection, name);
    if ('check' in table) found.push(table);
    else found.push(statusOf(name, table), indexesOf(definition, table), await timeToLiveOf(connection, name));
  }
  return found;
}

function isDenied(error: unknown): boolean {
  return error instanceof SessionError && error.code === 'STORE_DENIED';
}

async function described(connection: Connection, name: string): Promise<TableDescription | Diagnosis> {
  const check = `table ${name}`;
  try {
    const table = await describeTable(connection, name);
    return table ?? { check, status: 'failure', found: 'there is no such table', remedy: 'run mcp-session migrate' };
  } catch (error) {
    if (!isDenied(error)) throw error;
    const remedy = 'allow dynamodb:DescribeTable to look further';
    return { check, status: 'warning', found: 'these credentials may not describe the table', remedy };
  }
}

function statusOf(name: string, { TableStatus, ItemCount = 0 }: TableDescription): Diagnosis {
  const found = `${TableStatus?.toLowerCase()}, about ${ItemCount} items`;
  if (TableStatus === 'ACTIVE') return { check: `table ${name}`, status: 'ok', found };
  return { check: `table ${name}`, status: 'warning', found, remedy: 'wait until the table is active' };
}

function indexesOf(definition: ReturnType<typeof sessionsTable>, table: TableDescription): Diagnosis {
  const wanted = [...(definition.GlobalSecondaryIndexes ?? []), ...(definition.LocalSecondaryIndexes ?? [])];
  const check = `indexes of ${definition.TableName}`;
  // Local indexes have no status: they are there as long as their table.
  const usable = new Set(
    [...(table.GlobalSecondaryIndexes ?? []), ...(table.LocalSecondaryIndexes ?? [])]
      .filter(
        (index) => !('IndexStatus' in index) || index.IndexStatus === 'ACTIVE' || index.IndexStatus === 'UPDATING',
      )
      .map(({ IndexName }) => IndexName),
  );
  const missing = wanted.map(({ IndexName }) => IndexName).filter((name) => !usable.has(name));
  if (missing.length === 0) return { check, status: 'ok', found: 'all indexes are there' };
  const remedy = 'create them as the templates in infrastructure have them, or wait until they are active';
  return { check, status: 'failure', found: `missing or not active: ${missing.join(', ')}`, remedy };
}

async function timeToLiveOf(connection: Connection, TableName: string): Promise<Diagnosis> {
  const check = `time to live of ${TableName}`;
  const { client, commands } = await connection.sdk();
  try {
    const { TimeToLiveDescription: ttl } = await connection.retries.send(
      () => client.send(new commands.DescribeTimeToLiveCommand({ TableName })),
      false,
    );
    if (ttl?.TimeToLiveStatus === 'ENABLED' && ttl.AttributeName === 'ttl') return { check, status: 'ok', found: 'on' };
    const remedy = 'enable time to live on the attribute ttl; until then sweeps alone remove data';
    return { check, status: 'warning', found: 'off', remedy };
  } catch (error) {
    if (!isDenied(error)) throw error;
    const remedy = 'allow dynamodb:DescribeTimeToLive to look further';
    return { check, status: 'warning', found: 'these credentials may not look', remedy };
  }
}
