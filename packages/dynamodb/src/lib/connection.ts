import { randomUUID } from 'node:crypto';
import { setTimeout as pause } from 'node:timers/promises';
import type {
  CancellationReason,
  KeysAndAttributes,
  QueryCommandInput,
  TransactWriteItem,
  WriteRequest,
} from '@aws-sdk/client-dynamodb';
import type { SessionError } from '@mcp-session/core';
import { closed, lostEveryRace, reasonsOf, translateError, troubleOf, type Trouble } from './errors.ts';
import { toKey, type Change, type Item, type ItemKey } from './items.ts';
import type { TableNames } from './options.ts';
import type { Sdk } from './client.ts';

/** What came of a write with a condition. */
export type Written =
  | { readonly done: true; readonly item: Item | undefined }
  /** The condition did not hold. The item as it is; `undefined`: there is none. */
  | { readonly done: false; readonly item: Item | undefined };

/** One page of a query. */
export interface Page {
  readonly items: readonly Item[];
  /** Where the next page begins; `undefined`: this was the last. */
  readonly next: Item | undefined;
  /** How many items there were before the filter. */
  readonly scanned: number;
}

interface ConnectionOptions {
  readonly tables: TableNames;
  /** Names the tables in errors, for operators. */
  readonly label: string;
  readonly maxAttempts: number;
  readonly maxConflicts: number;
}

/** The client, with all retries: of what was throttled, in conflict with another transaction, or not answered. Between them it waits, as DynamoDB asks its callers to. */
export class Connection {
  readonly tables: TableNames;
  /** Names the tables in errors, for operators. */
  readonly label: string;
  readonly #load: () => Promise<Sdk>;
  readonly #maxAttempts: number;
  readonly #maxConflicts: number;
  #sdk: Promise<Sdk> | undefined;
  #closed = false;

  constructor(load: () => Promise<Sdk>, { tables, label, maxAttempts, maxConflicts }: ConnectionOptions) {
    this.tables = tables;
    this.#load = load;
    this.label = label;
    this.#maxAttempts = maxAttempts;
    this.#maxConflicts = maxConflicts;
  }

  /** The SDK, which is loaded when it is first asked for. */
  sdk(): Promise<Sdk> {
    this.#sdk ??= this.#load();
    return this.#sdk;
  }

  /** Lets no further request begin. */
  stop(): void {
    this.#closed = true;
  }

  /** Closes the client, if there is one yet. */
  async destroy(): Promise<void> {
    const sdk = await this.#sdk?.catch(() => undefined);
    sdk?.client.destroy();
  }

  /** Makes a `SessionError` of what the SDK threw. */
  failure(error: unknown, outcomeUnknown: boolean = false): SessionError {
    return translateError(error, { outcomeUnknown, store: this.label });
  }

  async get(TableName: string, key: ItemKey): Promise<Item | undefined> {
    const { client, commands } = await this.sdk();
    const command = new commands.GetItemCommand({ TableName, Key: toKey(key), ConsistentRead: true });
    return (await this.#try(() => client.send(command), false)).Item;
  }

  /** Reads up to 100 items in one request, or more in several. Each is read by itself. Those that do not exist are left out. */
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
        const { Responses = {}, UnprocessedKeys = {} } = await this.#try(() => client.send(command), false);
        const items = Object.values(Responses).flat();
        found.push(...items);
        request = UnprocessedKeys;
        // Left out for their size, which takes no wait, or for the capacity.
        attempt = items.length > 0 ? 0 : attempt;
        if (attempt > 0 && Object.keys(request).length > 0) await this.#waitForCapacity(attempt);
      }
    }
    return found;
  }

  /** Reads up to 100 items as of one moment, in the order of the keys. */
  async transactGet(keys: readonly { readonly table: string; readonly key: ItemKey }[]): Promise<(Item | undefined)[]> {
    const { client, commands } = await this.sdk();
    const command = new commands.TransactGetItemsCommand({
      TransactItems: keys.map(({ table, key }) => ({ Get: { TableName: table, Key: toKey(key) } })),
    });
    const { Responses = [] } = await this.#try(() => client.send(command), false);
    return Responses.map(({ Item: item }) => item);
  }

  async query(input: QueryCommandInput): Promise<Page> {
    const { client, commands } = await this.sdk();
    const command = new commands.QueryCommand({ ConsistentRead: true, ...input });
    const { Items = [], LastEvaluatedKey, ScannedCount = 0 } = await this.#try(() => client.send(command), false);
    return { items: Items, next: LastEvaluatedKey, scanned: ScannedCount };
  }

  /** @returns With `done`, the item as it was before. */
  async update(TableName: string, key: ItemKey, change: Change): Promise<Written> {
    const { client, commands } = await this.sdk();
    const command = new commands.UpdateItemCommand({ ...change.update(TableName, key), ReturnValues: 'ALL_OLD' });
    try {
      const { Attributes } = await this.#try(() => client.send(command), true);
      return { done: true, item: Attributes };
    } catch (error) {
      if (!(error instanceof Error) || error.name !== 'ConditionalCheckFailedException') throw error;
      return { done: false, item: 'Item' in error ? (error.Item as Item | undefined) : undefined };
    }
  }

  /**
   * Writes up to 100 items, all or nothing.
   *
   * @returns `undefined` where it is done; otherwise for each item why it is not: `ConditionalCheckFailed` for at least one.
   */
  async transactWrite(items: readonly TransactWriteItem[]): Promise<readonly CancellationReason[] | undefined> {
    const { client, commands } = await this.sdk();
    // With the same token, a retry of a transaction that was done after all is not done again (idempotent for ten minutes).
    const command = new commands.TransactWriteItemsCommand({
      TransactItems: [...items],
      ClientRequestToken: randomUUID(),
    });
    try {
      await this.#try(() => client.send(command), true);
      return undefined;
    } catch (error) {
      const reasons = reasonsOf(error);
      if (reasons?.some(({ Code }) => Code === 'ConditionalCheckFailed') !== true) throw error;
      return reasons;
    }
  }

  /** Deletes items one by one: a failure can leave some. */
  async batchDelete(TableName: string, keys: readonly ItemKey[]): Promise<void> {
    const { client, commands } = await this.sdk();
    for (let from = 0; from < keys.length; from += 25) {
      const some = keys.slice(from, from + 25);
      let request: WriteRequest[] = some.map((key) => ({ DeleteRequest: { Key: toKey(key) } }));
      for (let attempt = 1; request.length > 0; attempt++) {
        const command = new commands.BatchWriteItemCommand({ RequestItems: { [TableName]: request } });
        const { UnprocessedItems = {} } = await this.#try(() => client.send(command), true);
        const left = UnprocessedItems[TableName] ?? [];
        if (left.length < request.length) attempt = 0;
        else await this.#waitForCapacity(attempt);
        request = left;
      }
    }
  }

  /**
   * Does something that others can get in the way of, again and again until it gives something else than `lost`.
   *
   * @param refresh Reads again what the attempts go by. After a wait that is old, and an attempt that is bound to lose costs more than a look.
   */
  async untilWon<T>(attempt: () => Promise<T | typeof lost>, refresh?: () => Promise<unknown>): Promise<T> {
    for (let losses = 1; ; losses++) {
      const result = await attempt();
      if (result !== lost) return result;
      await this.backOff(losses);
      if (losses > 1) await refresh?.();
    }
  }

  /** To be called each time that others have got in the way of a call. @throws SessionError `STORE_BUSY` where that was too often. */
  async backOff(losses: number): Promise<void> {
    if (losses >= this.#maxConflicts) throw lostEveryRace(this.#maxConflicts, this.label);
    // The first loss mostly shows that what was remembered was old; after that it is a race, and the more are lost the more are in it.
    if (losses > 1) await pause(Math.random() * Math.min(4 * 2 ** losses, 20 * losses, 1_000));
  }

  /** @param writes Whether the request may have been done although it was not answered. */
  async #try<T>(send: () => Promise<T>, writes: boolean): Promise<T> {
    let outcomeUnknown = false;
    for (let attempt = 1; ; attempt++) {
      if (this.#closed) throw closed(this.label);
      try {
        return await send();
      } catch (error) {
        const trouble = troubleOf(error);
        if (isRefusal(error)) throw error;
        outcomeUnknown ||= writes && trouble === 'unanswered';
        const most = trouble === 'conflict' ? this.#maxConflicts : this.#maxAttempts;
        if (trouble === undefined || attempt >= most) throw this.failure(error, outcomeUnknown);
        await wait(attempt, trouble);
      }
    }
  }

  async #waitForCapacity(attempt: number): Promise<void> {
    if (attempt >= this.#maxAttempts) throw this.failure(named('ProvisionedThroughputExceededException'));
    await wait(attempt, 'throttled');
  }
}

async function wait(attempt: number, trouble: Trouble): Promise<void> {
  const [firstMs, mostMs] = trouble === 'conflict' ? [10, 250] : [50, 1_000];
  await pause(Math.random() * Math.min(firstMs * 2 ** (attempt - 1), mostMs));
}

/** Somebody else was faster. */
export const lost: unique symbol = Symbol('lost');

/** A condition that did not hold is an answer, not a failure. */
function isRefusal(error: unknown): boolean {
  if (error instanceof Error && error.name === 'ConditionalCheckFailedException') return true;
  return reasonsOf(error)?.some(({ Code }) => Code === 'ConditionalCheckFailed') === true;
}

function named(name: string): Error {
  const error = new Error('Every attempt left the same items unprocessed');
  error.name = name;
  return error;
}
