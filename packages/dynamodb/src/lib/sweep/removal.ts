import type { TransactWriteItem } from '@aws-sdk/client-dynamodb';
import { keyOf, readNumber, toKey, type Item, type ItemKey } from '../items.ts';
import { MAX_TRANSACTION_ITEMS } from '../schema.ts';

/** Bytes that one transaction removes: it may hold 4 MB, perhaps with the copies in the index. */
const MAX_STEP_BYTES = 1_500_000;

/** An item that belongs to a session, besides its head. */
export interface Row {
  readonly table: string;
  readonly key: ItemKey;
  /** At the most about so many. */
  readonly bytes: number;
}

export function deletion({ table, key }: Pick<Row, 'table' | 'key'>): TransactWriteItem {
  return { Delete: { TableName: table, Key: toKey(key) } };
}

export function weightOf(item: Item): number {
  // Other parts than the first do not say what they weigh.
  return readNumber(item, 'bytes') ?? (/[.#]\d\d/.test(keyOf(item).item) ? 400_000 : 1_000);
}

/** Rows for one transaction each, with room for a head and two due items. */
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
