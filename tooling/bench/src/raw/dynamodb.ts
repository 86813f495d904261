import { randomUUID } from 'node:crypto';
import {
  BatchGetItemCommand,
  BatchWriteItemCommand,
  CreateTableCommand,
  GetItemCommand,
  PutItemCommand,
  QueryCommand,
  TransactWriteItemsCommand,
  UpdateItemCommand,
  waitUntilTableExists,
  type AttributeValue,
  type DynamoDBClient,
  type TransactWriteItem,
} from '@aws-sdk/client-dynamodb';
import { KEY, STREAM } from '../lib/ours.ts';

const TTL_MS = 1_800_000;
const KIND_INDEX = 'by-kind';
const EXPIRY_INDEX = 'by-expiry';

type Item = Record<string, AttributeValue>;

/**
 * The least that DynamoDB's interface allows for each operation, by hand: an item for each session,
 * key and event. Each write checks in the same step that the session is live, and each read is
 * strongly consistent, except listings and sweeps. There are no tokens, sizes, limits or horizons.
 */
export class RawDynamoDb {
  readonly #client: DynamoDBClient;
  readonly #table: string;
  readonly #lastSeq = new Map<string, number>();

  constructor(client: DynamoDBClient, table: string) {
    this.#client = client;
    this.#table = table;
  }

  async createTable(): Promise<void> {
    const named = (name: string, type: 'HASH' | 'RANGE') => ({ AttributeName: name, KeyType: type });
    const index = (name: string, hash: string, range: string) => ({
      IndexName: name,
      KeySchema: [named(hash, 'HASH'), named(range, 'RANGE')],
      Projection: { ProjectionType: 'ALL' as const },
    });
    await this.#client.send(
      new CreateTableCommand({
        TableName: this.#table,
        BillingMode: 'PAY_PER_REQUEST',
        KeySchema: [named('id', 'HASH'), named('item', 'RANGE')],
        AttributeDefinitions: [
          ...['id', 'item', 'kind'].map((AttributeName) => ({ AttributeName, AttributeType: 'S' as const })),
          { AttributeName: 'expiresAt', AttributeType: 'N' },
        ],
        GlobalSecondaryIndexes: [index(KIND_INDEX, 'kind', 'id'), index(EXPIRY_INDEX, 'kind', 'expiresAt')],
      }),
    );
    await waitUntilTableExists({ client: this.#client, maxWaitTime: 60 }, { TableName: this.#table });
  }

  async create(profile: string, now: number): Promise<string> {
    const id = randomUUID();
    const counters = { lastSeq: { N: '0' }, stateVersion: { N: '0' }, expiresAt: { N: String(now + TTL_MS) } };
    const facts = { kind: { S: 'session' }, profile: { S: profile }, createdAt: { N: String(now) } };
    await this.#client.send(
      new PutItemCommand({
        TableName: this.#table,
        Item: { ...keyOf(id, HEAD), ...facts, ...counters },
        ConditionExpression: 'attribute_not_exists(id)',
      }),
    );
    return id;
  }

  async get(id: string): Promise<Item | undefined> {
    const command = new GetItemCommand({ TableName: this.#table, Key: keyOf(id, HEAD), ConsistentRead: true });
    return (await this.#client.send(command)).Item;
  }

  async touch(id: string, now: number): Promise<void> {
    await this.#client.send(new UpdateItemCommand(this.#renewal(id, now, [], {})));
  }

  async end(id: string, now: number): Promise<void> {
    await this.#client.send(new UpdateItemCommand(this.#renewal(id, now, ['endedAt = :now'], {})));
  }

  /**
   * At most one event to each of 50 sessions, or 99 to one: a transaction holds 100 items.
   */
  async append(messages: ReadonlyMap<string, readonly object[]>, now: number): Promise<void> {
    const items = [...messages].flatMap(([id, events]): TransactWriteItem[] => {
      const before = this.#lastSeq.get(id) ?? 0;
      const last = before + events.length;
      this.#lastSeq.set(id, last);
      const head = this.#renewal(id, now, ['lastSeq = :last'], {
        ':last': { N: String(last) },
        ':before': { N: String(before) },
      });
      return [
        { Update: { ...head, ConditionExpression: `${head.ConditionExpression} and lastSeq = :before` } },
        ...events.map((event, index) => ({
          Put: {
            TableName: this.#table,
            Item: {
              ...keyOf(id, `event#${STREAM}#${String(before + index + 1).padStart(16, '0')}`),
              message: { S: JSON.stringify(event) },
              createdAt: { N: String(now) },
            },
          },
        })),
      ];
    });
    await this.#client.send(new TransactWriteItemsCommand({ TransactItems: items }));
  }

  async getState(id: string): Promise<unknown> {
    const Keys = [keyOf(id, HEAD), keyOf(id, `key#${KEY}`)];
    const { Responses = {} } = await this.#client.send(
      new BatchGetItemCommand({ RequestItems: { [this.#table]: { Keys, ConsistentRead: true } } }),
    );
    const value = Responses[this.#table]?.find((item) => item['value'] !== undefined)?.['value']?.S;
    return value === undefined ? undefined : JSON.parse(value);
  }

  async setState(id: string, value: unknown, now: number): Promise<void> {
    const head = this.#renewal(id, now, ['stateVersion = stateVersion + :one'], { ':one': { N: '1' } });
    const item = { ...keyOf(id, `key#${KEY}`), value: { S: JSON.stringify(value) }, version: { N: '1' } };
    await this.#client.send(
      new TransactWriteItemsCommand({
        TransactItems: [{ Update: head }, { Put: { TableName: this.#table, Item: item } }],
      }),
    );
  }

  /**
   * Reads the session after its events: whether it is live, and whether events were trimmed during
   * the read.
   */
  async replay(id: string): Promise<number> {
    const events = await this.#query(`id = :id and begins_with(#item, :events)`, {
      ':id': { S: id },
      ':events': { S: `event#${STREAM}#` },
    });
    await this.get(id);
    return events.filter((item) => JSON.parse(item['message']?.S ?? '') !== undefined).length;
  }

  async poll(ids: readonly string[]): Promise<void> {
    const Keys = ids.map((id) => keyOf(id, HEAD));
    await this.#client.send(
      new BatchGetItemCommand({ RequestItems: { [this.#table]: { Keys, ConsistentRead: true } } }),
    );
  }

  async list(limit: number): Promise<number> {
    const command = new QueryCommand({
      TableName: this.#table,
      IndexName: KIND_INDEX,
      KeyConditionExpression: 'kind = :kind',
      ExpressionAttributeValues: { ':kind': { S: 'session' } },
      Limit: limit,
    });
    return (await this.#client.send(command)).Items?.length ?? 0;
  }

  /**
   * Finds expired sessions and deletes everything that belongs to them, without checking for other
   * sweeps.
   */
  async sweep(now: number): Promise<number> {
    const command = new QueryCommand({
      TableName: this.#table,
      IndexName: EXPIRY_INDEX,
      KeyConditionExpression: 'kind = :kind and expiresAt <= :now',
      ExpressionAttributeValues: { ':kind': { S: 'session' }, ':now': { N: String(now) } },
    });
    const { Items: heads = [] } = await this.#client.send(command);
    const keys: Item[] = [];
    for (const { id = { S: '' } } of heads) keys.push(...(await this.#query('id = :id', { ':id': id }, 'id, #item')));
    for (let from = 0; from < keys.length; from += 25) {
      const some = keys.slice(from, from + 25).map((Key) => ({ DeleteRequest: { Key } }));
      await this.#client.send(new BatchWriteItemCommand({ RequestItems: { [this.#table]: some } }));
    }
    return heads.length;
  }

  async #query(condition: string, values: Item, projection?: string): Promise<Item[]> {
    const items: Item[] = [];
    let start: Item | undefined;
    do {
      const { Items = [], LastEvaluatedKey } = await this.#client.send(
        new QueryCommand({
          TableName: this.#table,
          ConsistentRead: true,
          KeyConditionExpression: condition,
          ExpressionAttributeValues: values,
          ...((projection !== undefined || condition.includes('#item')) && {
            ExpressionAttributeNames: { '#item': 'item' },
          }),
          ...(projection !== undefined && { ProjectionExpression: projection }),
          ...(start !== undefined && { ExclusiveStartKey: start }),
        }),
      );
      items.push(...Items);
      start = LastEvaluatedKey;
    } while (start !== undefined);
    return items;
  }

  /** Renews a live session, with further changes. */
  #renewal(id: string, now: number, changes: readonly string[], values: Item) {
    const sets = ['expiresAt = :expiresAt', 'touchedAt = :now', ...changes];
    return {
      TableName: this.#table,
      Key: keyOf(id, HEAD),
      UpdateExpression: `set ${sets.join(', ')}`,
      ConditionExpression: 'attribute_not_exists(endedAt) and expiresAt > :now',
      ExpressionAttributeValues: { ':expiresAt': { N: String(now + TTL_MS) }, ':now': { N: String(now) }, ...values },
    };
  }
}

const HEAD = 'head';

function keyOf(id: string, item: string): { readonly id: { S: string }; readonly item: { S: string } } {
  return { id: { S: id }, item: { S: item } };
}
