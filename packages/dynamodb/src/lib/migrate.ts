import type { TableDescription } from '@aws-sdk/client-dynamodb';
import { SessionError } from '@mcp-session/core';
import type { SchemaVersion } from '@mcp-session/core/backend';
import type { Connection } from './connection.ts';
import { readNumber } from './items.ts';
import { foreignTables, hasKeysOf, refuseForeign } from './migrate/foreign-tables.ts';
import { creationInput, eventsTable, sessionsTable } from './migrate/tables.ts';
import type { CreateOptions } from './options.ts';
import { SCHEMA_KEY } from './schema.ts';
import type { Sdk } from './client/sdk.ts';

/** The layout of this version. Tables without a schema item have this one. */
const SCHEMA_VERSION = 1;
/** How long to wait until a table is created, in seconds. It takes about ten. */
const MAX_WAIT_S = 120;

/**
 * Checks in one read that both tables exist, and creates missing ones if that is allowed.
 *
 * @throws SessionError `STORE_SCHEMA_TOO_NEW`; `STORE_UNAVAILABLE` if a table is missing;
 * `STORE_FAILED` if a table is that of something else.
 */
export async function migrate(connection: Connection, create: CreateOptions | undefined): Promise<void> {
  try {
    await check(connection);
  } catch (error) {
    if (!isMissing(error) || create === undefined) throw error;
    await createTables(connection, create);
    await check(connection);
  }
}

/**
 * Which layout the tables have; 0 if one is missing. Reads once.
 *
 * @throws SessionError `STORE_SCHEMA_TOO_NEW`.
 */
export async function readSchemaVersion(connection: Connection): Promise<SchemaVersion> {
  try {
    await check(connection);
    return { present: SCHEMA_VERSION, needed: SCHEMA_VERSION };
  } catch (error) {
    if (!isMissing(error)) throw error;
    return { present: 0, needed: SCHEMA_VERSION };
  }
}

/**
 * Names the tables that are missing, without creating any.
 *
 * @throws SessionError `STORE_SCHEMA_TOO_NEW`.
 */
export async function planMigration(connection: Connection): Promise<readonly string[]> {
  const { present, needed } = await readSchemaVersion(connection);
  if (present === needed) return [];
  const plans: string[] = [];
  for (const [which, name] of Object.entries(connection.tables)) {
    const found = await describeTable(connection, String(name));
    if (found === undefined) plans.push(`create table ${name} for ${which}, with time to live on the attribute ttl`);
  }
  return plans;
}

/** @returns `undefined` if there is no such table. */
export async function describeTable(connection: Connection, TableName: string): Promise<TableDescription | undefined> {
  const { client, commands } = await connection.sdk();
  try {
    return (await connection.retries.send(() => client.send(new commands.DescribeTableCommand({ TableName })), false))
      .Table;
  } catch (error) {
    if (isMissing(error)) return undefined;
    throw error;
  }
}

function isMissing(error: unknown): boolean {
  const cause = error instanceof SessionError ? error.cause : error;
  return cause instanceof Error && cause.name === 'ResourceNotFoundException';
}

async function check(connection: Connection): Promise<void> {
  // Only the first table has the item, but the batch fails if any table is missing.
  const [item] = await connection
    .batchGet({ sessions: [SCHEMA_KEY], events: [SCHEMA_KEY] })
    .catch(refuseForeign(connection.label));
  const version = item === undefined ? SCHEMA_VERSION : readNumber(item, 'version');
  if (version !== SCHEMA_VERSION) {
    throw new SessionError(
      'STORE_SCHEMA_TOO_NEW',
      `Session store was changed by a newer version of @mcp-session/dynamodb (layout ${version}); nothing was changed, install that version`,
      { store: connection.label },
    );
  }
}

/** Several processes may run this at once: one creates, all wait. */
async function createTables(connection: Connection, options: CreateOptions): Promise<void> {
  const { tables } = connection;
  const sdk = await connection.sdk();
  const { client, commands } = sdk;
  const definitions = [sessionsTable(tables), eventsTable(tables)];
  // First, because time to live would remove items of something else.
  for (const definition of definitions) {
    const table = await describeTable(connection, definition.TableName ?? '');
    if (table !== undefined && !hasKeysOf(definition, table)) throw foreignTables(connection.label);
  }
  for (const definition of definitions) {
    const { TableName } = definition;
    try {
      await client
        .send(new commands.CreateTableCommand({ ...definition, ...creationInput(definition, options) }))
        .catch(unless('ResourceInUseException'));
      await commands.waitUntilTableExists({ client, maxWaitTime: MAX_WAIT_S, minDelay: 1, maxDelay: 5 }, { TableName });
      await enableTimeToLive(sdk, TableName);
      if (options.pointInTimeRecovery) {
        await client.send(
          new commands.UpdateContinuousBackupsCommand({
            TableName,
            PointInTimeRecoverySpecification: { PointInTimeRecoveryEnabled: true },
          }),
        );
      }
    } catch (error) {
      throw connection.retries.failure(error);
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

function unless(name: string): (error: unknown) => undefined {
  return (error) => {
    if (!(error instanceof Error) || error.name !== name) throw error;
    return undefined;
  };
}
