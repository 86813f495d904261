import type { StoredRow } from '@mcp-session/conformance';
import { dynamoDbConfig } from '@mcp-session-tooling/databases';
import { DynamoDBClient, paginateScan, type AttributeValue } from '@aws-sdk/client-dynamodb';
import type { StorageArgument } from './storage.ts';

/** All items of both tables but what sweeps go by, each with the session that it belongs to. */
export async function rowsOf({ url, prefix }: StorageArgument): Promise<readonly StoredRow[]> {
  const client = new DynamoDBClient(dynamoDbConfig(url));
  try {
    const items: { readonly table: string; readonly id: string; readonly item: Record<string, AttributeValue> }[] = [];
    for (const table of ['sessions', 'events']) {
      const pages = paginateScan({ client }, { TableName: `${prefix}${table}`, ConsistentRead: true });
      for await (const { Items = [] } of pages) {
        for (const item of Items) items.push({ table, id: item['id']?.S ?? '', item });
      }
    }
    const heads = new Set(items.filter(({ item }) => item['item']?.S === 'head').map(({ id }) => id));
    return (
      items
        // No session's id holds a space: those are the due items and the mark of the schema.
        .filter(({ id }) => !id.includes(' '))
        .map(({ table, id, item }) => ({
          table,
          session: heads.has(id) ? id : undefined,
          text: JSON.stringify(item).slice(0, 10_000),
        }))
    );
  } finally {
    client.destroy();
  }
}
