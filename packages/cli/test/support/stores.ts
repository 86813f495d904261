import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { SessionStore } from '@mcp-session/core';
import { createDynamoDbStore } from '@mcp-session/dynamodb';
import { createPostgresStore } from '@mcp-session/postgres';
import { createSqliteStore } from '@mcp-session/sqlite';
import { createTestSchema, createTestTables, dynamoDbConfig } from '@mcp-session-tooling/databases';
import { DynamoDBClient } from '@aws-sdk/client-dynamodb';
import { inject, onTestFinished } from 'vitest';

/** An empty storage, as the command line names it. */
export interface Storage {
  readonly args: readonly string[];
  readonly env: Readonly<Record<string, string>>;
  /** Opens a store on it, as a server does. Creates the tables. */
  open(): Promise<SessionStore>;
}

/** Makes an empty storage of each backend that several processes can open. */
export const storages: Readonly<Record<string, () => Promise<Storage>>> = {
  sqlite: async () => {
    const folder = mkdtempSync(join(tmpdir(), 'mcp-session-cli-'));
    onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
    const path = join(folder, 'sessions.db');
    const open = () => opened(createSqliteStore({ path, sweep: false }));
    return { args: ['--store', `sqlite:${path}`], env: {}, open };
  },
  postgres: async () => {
    const { url, schema, dispose } = await createTestSchema(inject('postgres').url);
    onTestFinished(() => dispose());
    const open = () => opened(createPostgresStore({ url, schema, sweep: false }));
    return { args: ['--schema', schema], env: { MCP_SESSION_STORE: url }, open };
  },
  dynamodb: async () => {
    const { url } = inject('dynamodb');
    const { prefix, dispose } = createTestTables(url);
    onTestFinished(() => dispose());
    const config = dynamoDbConfig(url);
    const credentials = config.credentials;
    process.env['AWS_ACCESS_KEY_ID'] = credentials.accessKeyId;
    process.env['AWS_SECRET_ACCESS_KEY'] = credentials.secretAccessKey;
    const tables = { sessionsTable: `${prefix}sessions`, eventsTable: `${prefix}events` };
    const client = new DynamoDBClient({ ...config, maxAttempts: 1 });
    const open = () => opened(createDynamoDbStore({ client, ...tables, autoCreateTables: true, sweep: false }));
    const query = new URLSearchParams({ ...tables, endpoint: url, region: config.region });
    return { args: ['--store', `dynamodb:?${query.toString()}`], env: {}, open };
  },
};

async function opened(opening: Promise<SessionStore>): Promise<SessionStore> {
  const store = await opening;
  onTestFinished(() => store.close());
  return store;
}
