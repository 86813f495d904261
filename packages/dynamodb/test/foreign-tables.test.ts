import {
  CreateTableCommand,
  DescribeTimeToLiveCommand,
  DynamoDBClient,
  paginateListTables,
} from '@aws-sdk/client-dynamodb';
import { dynamoDbConfig } from '@mcp-session-tooling/databases';
import { createDynamoDbStore } from '@mcp-session/dynamodb';
import { describe, expect, inject, it, onTestFinished } from 'vitest';
import { newStorage, optionsOf } from './support/storage.ts';

/** A table with keys of its own, each as its name and its type. */
async function createForeign(client: DynamoDBClient, TableName: string, keys: readonly string[]): Promise<void> {
  const attributes = keys.map((key) => key.split(':') as [string, 'S' | 'N']);
  await client.send(
    new CreateTableCommand({
      TableName,
      BillingMode: 'PAY_PER_REQUEST',
      KeySchema: attributes.map(([AttributeName], index) => ({ AttributeName, KeyType: index ? 'RANGE' : 'HASH' })),
      AttributeDefinitions: attributes.map(([AttributeName, AttributeType]) => ({ AttributeName, AttributeType })),
    }),
  );
}

describe.each(['sessions', 'events'])('the table of %s is one of something else', (which) => {
  it.each([[['pk:S']], [['id:S']], [['id:S', 'at:S']], [['id:S', 'item:N']]])(
    'with the keys %j: refused, and nothing is changed',
    async (keys) => {
      const { url, prefix, dispose } = newStorage(inject('dynamodb').url);
      const client = new DynamoDBClient(dynamoDbConfig(url));
      onTestFinished(async () => {
        await dispose();
        client.destroy();
      });
      const TableName = `${prefix}${which}`;
      await createForeign(client, TableName, keys);

      const foreign = {
        code: 'STORE_FAILED',
        retryable: false,
        message: expect.stringMatching(/belongs to something else: .* nothing was changed, set sessionsTable and/),
      };
      const options = optionsOf({ url, prefix });
      await expect(createDynamoDbStore(options)).rejects.toMatchObject(foreign);
      const { TimeToLiveDescription } = await client.send(new DescribeTimeToLiveCommand({ TableName }));
      expect(TimeToLiveDescription?.TimeToLiveStatus).toBe('DISABLED');
      const tables: string[] = [];
      for await (const { TableNames = [] } of paginateListTables({ client }, {})) tables.push(...TableNames);
      expect(tables.filter((name) => name.startsWith(prefix))).toEqual([TableName]);

      const other = which === 'sessions' ? 'events' : 'sessions';
      await createForeign(client, `${prefix}${other}`, ['id:S', 'item:S']);
      await expect(createDynamoDbStore({ ...options, autoCreateTables: false })).rejects.toMatchObject(foreign);
    },
  );
});
