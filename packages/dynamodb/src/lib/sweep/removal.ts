import type { TransactWriteItem } from '@aws-sdk/client-dynamodb';
import { keyOf, readNumber, toKey, type Item, type ItemKey } from '../items.ts';
import { MAX_TRANSACTION_ITEMS } from '../schema.ts';

/** Maximum bytes that one transaction removes. It may have 4 MB, perhaps with the index copies. */
const MAX_STEP_BYTES = 1_500_000;

/** An item of a session other than its head. */
export interface Row {
  readonly table: string;
  readonly key: ItemKey;
  /** An upper estimate. */
  readonly bytes: number;
}

/** Deletes a row. */
export function deletion({ table, key }: Pick<Row, 'table' | 'key'>): TransactWriteItem {
  return { Delete: { TableName: table, Key: toKey(key) } };
}

/** An upper estimate of the bytes of an item. */
export function weightOf(item: Item): number {
  // Only the first part of a split item has its size.
  return readNumber(item, 'bytes') ?? (/[.#]\d\d/.test(keyOf(item).item) ? 400_000 : 1_000);
}

/** Groups rows into transactions, with room for a head and two due items in each. */
export function inSteps(rows: readonly Row[]): Row[][] {
  const steps: Row[][] = [];
  let bytes = 0;
  for (const row of rows) {
    const step = steps.at(-1);
    if (step === undefined || step.length === MAX_TRANSACTION_ITEMS - 3 || bytes + row.bytes > MAX_STEP_BYTES) {
      steps.push([row]);
      bytes = row.bytes;
    } else {
      step.push(row);
      bytes += row.bytes;
    }
  }
  return steps;
}
