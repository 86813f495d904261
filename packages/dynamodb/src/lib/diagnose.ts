import type { TableDescription } from '@aws-sdk/client-dynamodb';
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

async function described(connection: Connection, name: string): Promise<TableDescription | Diagnosis> {
  const check = `table ${name}`;
  try {
    const table = await describeTable(connection, name);
    return table ?? { check, status: 'failure', found: 'there is no such table', remedy: 'run mcp-session migrate' };
  } catch {
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
  const names = (of: Partial<TableDescription> | typeof definition) =>
    [...(of.GlobalSecondaryIndexes ?? []), ...(of.LocalSecondaryIndexes ?? [])].map(({ IndexName = '' }) => IndexName);
  const check = `indexes of ${definition.TableName}`;
  const present = new Set(names(table));
  const missing = names(definition).filter((name) => !present.has(name));
  if (missing.length === 0) return { check, status: 'ok', found: 'all indexes are there' };
  const remedy = 'create them as the templates in infrastructure have them';
  return { check, status: 'failure', found: `missing: ${missing.join(', ')}`, remedy };
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
  } catch {
    const remedy = 'allow dynamodb:DescribeTimeToLive to look further';
    return { check, status: 'warning', found: 'these credentials may not look', remedy };
  }
}
