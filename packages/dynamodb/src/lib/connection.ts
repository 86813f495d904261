import { randomUUID } from 'node:crypto';
import type {
  CancellationReason,
  KeysAndAttributes,
  QueryCommandInput,
  TransactWriteItem,
  WriteRequest,
} from '@aws-sdk/client-dynamodb';
import type { Sdk } from './client/sdk.ts';
import { reasonsOf } from './errors.ts';
import { toKey, type Change, type Item, type ItemKey } from './items.ts';
import type { TableNames } from './options.ts';
import { Retries } from './retries.ts';

/** The outcome of a write with a condition. */
export type Written =
  | { readonly done: true; readonly item: Item | undefined }
  /** The condition did not hold. `item` is the present item; `undefined`: there is none. */
  | { readonly done: false; readonly item: Item | undefined };

/** One page of a query. */
export interface Page {
  readonly items: readonly Item[];
  /** Where the next page begins; `undefined`: this was the last. */
  readonly next: Item | undefined;
  /** The number of items before the filter. */
  readonly scanned: number;
}

interface ConnectionOptions {
  readonly tables: TableNames;
  /** Names the tables in errors, for operators. */
  readonly label: string;
  /** True if we created the client, so that we also destroy it. */
  readonly owned: boolean;
  readonly maxAttempts: number;
  readonly maxConflicts: number;
}

/** The requests to DynamoDB, each with its retries. */
export class Connection {
  readonly tables: TableNames;
  /** Names the tables in errors, for operators. */
  readonly label: string;
  readonly retries: Retries;
  readonly #load: () => Promise<Sdk>;
  readonly #owned: boolean;
  #sdk: Promise<Sdk> | undefined;

  constructor(load: () => Promise<Sdk>, { tables, label, owned, ...limits }: ConnectionOptions) {
    this.tables = tables;
    this.label = label;
    this.retries = new Retries({ label, ...limits });
    this.#load = load;
    this.#owned = owned;
  }

  /** The SDK. It is loaded at the first call. */
  sdk(): Promise<Sdk> {
    this.#sdk ??= this.#load();
    return this.#sdk;
  }

  /** Refuses all further requests. */
  stop(): void {
    this.retries.stop();
  }

  /** Destroys the client if it is ours and exists. */
  async close(): Promise<void> {
    if (!this.#owned) return;
    const sdk = await this.#sdk?.catch(() => undefined);
    sdk?.client.destroy();
  }

  async get(TableName: string, key: ItemKey): Promise<Item | undefined> {
    const { client, commands } = await this.sdk();
    const command = new commands.GetItemCommand({ TableName, Key: toKey(key), ConsistentRead: true });
    return (await this.retries.send(() => client.send(command), false)).Item;
  }

  /** Reads items, 100 per request, each on its own. Leaves out items that do not exist. */
  async batchGet(keys: {
    readonly sessions?: readonly ItemKey[];
    readonly events?: readonly ItemKey[];
  }): Promise<Item[]> {
    const { client, commands } = await this.sdk();
    const { sessions = [], events = [] } = keys;
    const all = [
      ...sessions.map((key) => ({ table: this.tables.sessions, key })),
      ...events.map((key) => ({ table: this.tables.events, key })),
    ];
    const found: Item[] = [];
    for (let from = 0; from < all.length; from += 100) {
      let request: Record<string, KeysAndAttributes> = {};
      for (const { table, key } of all.slice(from, from + 100)) {
        const { Keys = [] } = request[table] ?? {};
        request[table] = { ConsistentRead: true, Keys: [...Keys, toKey(key)] };
      }
      for (let attempt = 1; Object.keys(request).length > 0; attempt++) {
        const command = new commands.BatchGetItemCommand({ RequestItems: request });
        const { Responses = {}, UnprocessedKeys = {} } = await this.retries.send(() => client.send(command), false);
        const items = Object.values(Responses).flat();
        found.push(...items);
        request = UnprocessedKeys;
        // Keys are left unprocessed if the response got too large, which needs no pause, or if the
        // capacity ran out.
        attempt = items.length > 0 ? 0 : attempt;
        if (attempt > 0 && Object.keys(request).length > 0) await this.retries.waitForCapacity(attempt);
      }
    }
    return found;
  }

  /** Reads up to 100 items as one snapshot, in the order of the keys. */
  async transactGet(keys: readonly { readonly table: string; readonly key: ItemKey }[]): Promise<(Item | undefined)[]> {
    const { client, commands } = await this.sdk();
    const command = new commands.TransactGetItemsCommand({
      TransactItems: keys.map(({ table, key }) => ({ Get: { TableName: table, Key: toKey(key) } })),
    });
    const { Responses = [] } = await this.retries.send(() => client.send(command), false);
    return Responses.map(({ Item: item }) => item);
  }

  async query(input: QueryCommandInput): Promise<Page> {
    const { client, commands } = await this.sdk();
    const command = new commands.QueryCommand({ ConsistentRead: true, ...input });
    const {
      Items = [],
      LastEvaluatedKey,
      ScannedCount = 0,
    } = await this.retries.send(() => client.send(command), false);
    return { items: Items, next: LastEvaluatedKey, scanned: ScannedCount };
  }

  /** Queries page by page until nothing is left. */
  async *pages(input: QueryCommandInput): AsyncGenerator<Page, void, undefined> {
    let start: Item | undefined;
    do {
      const page = await this.query({ ...input, ExclusiveStartKey: start });
      yield page;
      start = page.next;
    } while (start !== undefined);
  }

  /** Reads one page of a whole index, without order, not consistent. For administration. */
  async scanKeys(TableName: string, IndexName: string, start: Item | undefined): Promise<Page> {
    const { client, commands } = await this.sdk();
    const command = new commands.ScanCommand({ TableName, IndexName, ExclusiveStartKey: start });
    const sent = await this.retries.send(() => client.send(command), false);
    return { items: sent.Items ?? [], next: sent.LastEvaluatedKey, scanned: sent.ScannedCount ?? 0 };
  }

  /** @returns If done, the item before the update. */
  async update(TableName: string, key: ItemKey, change: Change): Promise<Written> {
    const { client, commands } = await this.sdk();
    const command = new commands.UpdateItemCommand({ ...change.update(TableName, key), ReturnValues: 'ALL_OLD' });
    try {
      const { Attributes } = await this.retries.send(() => client.send(command), true);
      return { done: true, item: Attributes };
    } catch (error) {
      if (!(error instanceof Error) || error.name !== 'ConditionalCheckFailedException') throw error;
      return { done: false, item: 'Item' in error ? (error.Item as Item | undefined) : undefined };
    }
  }

  /**
   * Writes up to 100 items, all or nothing.
   *
   * @returns `undefined` if done; otherwise a reason for each item, at least one of which is
   * `ConditionalCheckFailed`.
   */
  async transactWrite(items: readonly TransactWriteItem[]): Promise<readonly CancellationReason[] | undefined> {
    const { client, commands } = await this.sdk();
    // With the same token, a transaction is not done twice (for ten minutes).
    const command = new commands.TransactWriteItemsCommand({
      TransactItems: [...items],
      ClientRequestToken: randomUUID(),
    });
    try {
      await this.retries.send(() => client.send(command), true);
      return undefined;
    } catch (error) {
      const reasons = reasonsOf(error);
      if (reasons?.some(({ Code }) => Code === 'ConditionalCheckFailed') !== true) throw error;
      return reasons;
    }
  }

  /** Deletes items, each on its own: a failure can leave some. */
  async batchDelete(TableName: string, keys: readonly ItemKey[]): Promise<void> {
    const { client, commands } = await this.sdk();
    for (let from = 0; from < keys.length; from += 25) {
      const some = keys.slice(from, from + 25);
      let request: WriteRequest[] = some.map((key) => ({ DeleteRequest: { Key: toKey(key) } }));
      for (let attempt = 1; request.length > 0; attempt++) {
        const command = new commands.BatchWriteItemCommand({ RequestItems: { [TableName]: request } });
        const { UnprocessedItems = {} } = await this.retries.send(() => client.send(command), true);
        const left = UnprocessedItems[TableName] ?? [];
        if (left.length < request.length) attempt = 0;
        else await this.retries.waitForCapacity(attempt);
        request = left;
      }
    }
  }
}
