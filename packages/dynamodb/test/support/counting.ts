import type { AttributeValue } from '@aws-sdk/client-dynamodb';
import type { Passed } from './proxy.ts';

interface Consumed {
  readonly CapacityUnits?: number;
}

interface TransactItem {
  readonly Put?: { readonly Item: Record<string, AttributeValue> };
}

/** Names of the operations, in their order. */
export function operations(passed: readonly Passed[]): readonly string[] {
  return passed.map(({ operation }) => operation);
}

/**
 * Units of capacity that requests consume of the tables, without their indexes.
 *
 * DynamoDB Local counts the same for a transaction whatever it holds, so for these it is worked out
 * from what was sent: two for each KB of an item
 * (docs.aws.amazon.com/amazondynamodb/latest/developerguide/read-write-operations.html), and heads
 * and deleted items are less than one.
 */
export function units(passed: readonly Passed[]): number {
  let sum = 0;
  for (const { operation, body, answer } of passed) {
    if (operation === 'TransactWriteItems') {
      for (const { Put } of body['TransactItems'] as TransactItem[]) {
        sum += 2 * Math.ceil(Put === undefined ? 1 : sizeOf(Put.Item) / 1_024);
      }
      continue;
    }
    const { ConsumedCapacity } = answer as { readonly ConsumedCapacity?: Consumed | readonly Consumed[] };
    for (const each of [ConsumedCapacity ?? []].flat()) sum += each.CapacityUnits ?? 0;
  }
  return sum;
}

function sizeOf(item: Record<string, AttributeValue>): number {
  let bytes = 0;
  for (const [name, { S, N }] of Object.entries(item)) {
    bytes += Buffer.byteLength(name) + Buffer.byteLength(S ?? N ?? '');
  }
  return bytes;
}
