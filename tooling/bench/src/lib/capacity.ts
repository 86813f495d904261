import {
  BatchGetItemCommand,
  type AttributeValue,
  type BatchGetItemCommandInput,
  type DynamoDBClient,
  type QueryCommandInput,
  type TransactWriteItem,
  type TransactWriteItemsCommandInput,
} from '@aws-sdk/client-dynamodb';

/**
 * What some work has sent to DynamoDB, and the capacity units of the tables and of the indexes that
 * it read.
 */
export interface Cost {
  readonly requests: number;
  readonly read: number;
  readonly write: number;
}

type Item = Record<string, AttributeValue>;

interface Consumed {
  readonly CapacityUnits?: number;
  readonly Table?: { readonly CapacityUnits?: number };
}

interface Answer {
  readonly ConsumedCapacity?: Consumed | Consumed[];
  readonly Responses?: Readonly<Record<string, readonly Item[]>>;
}

/** Counts everything that a client sends, in a middleware of the SDK. */
export class Meter {
  readonly #other: DynamoDBClient;
  #requests = 0;
  #read = 0;
  #write = 0;

  /**
   * @param other Another client of the same server, which is not counted: it reads the sizes of
   * items.
   */
  constructor(client: DynamoDBClient, other: DynamoDBClient) {
    this.#other = other;
    client.middlewareStack.add(
      (next, { commandName = '' }) =>
        async (args) => {
          this.#requests++;
          Object.assign(args.input, { ReturnConsumedCapacity: 'INDEXES' });
          if (commandName === 'TransactWriteItemsCommand') {
            const { TransactItems = [] } = args.input as TransactWriteItemsCommandInput;
            const before = await this.#sizes(TransactItems);
            const done = await next(args);
            const after = await this.#sizes(TransactItems);
            for (const [index, size] of before.entries()) this.#write += transacted(size, after[index] ?? 0);
            return done;
          }
          const done = await next(args);
          this.#add(commandName, args.input, done.output as Answer);
          return done;
        },
      { step: 'initialize' },
    );
  }

  /** @returns What the work has cost. Nothing else may use the client during the work. */
  async of(work: () => Promise<unknown>): Promise<Cost> {
    const [requests, read, write] = [this.#requests, this.#read, this.#write];
    await work();
    return { requests: this.#requests - requests, read: this.#read - read, write: this.#write - write };
  }

  #add(command: string, input: object, { ConsumedCapacity = [], Responses = {} }: Answer): void {
    const units = [ConsumedCapacity]
      .flat()
      .map(({ CapacityUnits = 0, Table }) => ({ all: CapacityUnits, table: Table?.CapacityUnits ?? CapacityUnits }));
    const all = units.reduce((sum, each) => sum + each.all, 0);
    // Reading a missing item is free on DynamoDB Local, but not on AWS: one unit per item, and the
    // minimum of a query.
    if (command === 'BatchGetItemCommand') this.#read += all + missing(input as BatchGetItemCommandInput, Responses);
    else if (command === 'GetItemCommand') this.#read += Math.max(all, 1);
    else if (command === 'QueryCommand') {
      this.#read += Math.max(all, (input as QueryCommandInput).ConsistentRead === true ? 1 : 0.5);
    } else this.#write += units.reduce((sum, each) => sum + each.table, 0);
  }

  /** Bytes of the items of a transaction as they are now. */
  async #sizes(items: readonly TransactWriteItem[]): Promise<number[]> {
    const keys = items.map(keyOf);
    const sizes = new Map<string, number>();
    const request: Record<string, { Keys: Item[]; ConsistentRead: true }> = {};
    // A transaction holds as many items as one such request.
    for (const { table, key } of keys) (request[table] ??= { Keys: [], ConsistentRead: true }).Keys.push(key);
    const { Responses = {} } = await this.#other.send(new BatchGetItemCommand({ RequestItems: request }));
    for (const [table, found] of Object.entries(Responses)) {
      for (const item of found) sizes.set(nameOf(table, item), sizeOf(item));
    }
    return keys.map(({ table, key }) => sizes.get(nameOf(table, key)) ?? 0);
  }
}

/**
 * Two units for each KB of the greater of what an item was and what it is
 * (docs.aws.amazon.com/amazondynamodb/latest/developerguide/transaction-apis.html). DynamoDB Local
 * says 2 for each table, whatever a transaction holds.
 */
function transacted(before: number, after: number): number {
  return 2 * Math.max(1, Math.ceil(Math.max(before, after) / 1_024));
}

function missing({ RequestItems = {} }: BatchGetItemCommandInput, found: NonNullable<Answer['Responses']>): number {
  return Object.entries(RequestItems).reduce(
    (sum, [table, { Keys = [] }]) => sum + Keys.length - (found[table]?.length ?? 0),
    0,
  );
}

function keyOf({ Put, Update, Delete, ConditionCheck }: TransactWriteItem): {
  readonly table: string;
  readonly key: Item;
} {
  const each = Update ?? Delete ?? ConditionCheck;
  return { table: String((each ?? Put)?.TableName), key: each?.Key ?? pick(Put?.Item ?? {}) };
}

/** The key of an item; the attributes are called so in all tables that are measured. */
function pick({ id, item }: Item): Item {
  return { id: id ?? { S: '' }, item: item ?? { S: '' } };
}

function nameOf(table: string, item: Item): string {
  const { id, item: place } = pick(item);
  return `${table} ${String(id?.S)} ${String(place?.S)}`;
}

/**
 * Names and values, as they are counted
 * (docs.aws.amazon.com/amazondynamodb/latest/developerguide/CapacityUnitCalculations.html).
 */
function sizeOf(item: Item): number {
  let bytes = 0;
  for (const [name, { S, N }] of Object.entries(item)) {
    bytes += Buffer.byteLength(name) + (N === undefined ? Buffer.byteLength(S ?? ' ') : Math.ceil(N.length / 2) + 1);
  }
  return bytes;
}
