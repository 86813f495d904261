import { DeleteItemCommand, DynamoDBClient, QueryCommand, type AttributeValue } from '@aws-sdk/client-dynamodb';
import type { SessionBackend } from '@mcp-session/core/backend';
import { createDynamoDbBackend } from '@mcp-session/dynamodb';
import { beforeEach, expect, inject, it, onTestFinished } from 'vitest';
import { dynamoDbConfig } from '@mcp-session-tooling/databases';
import { newStorage, optionsOf } from './support/storage.ts';

const NOW = 1_800_000_000_000;
const HOUR = 3_600_000;
const DAY = 24 * HOUR;
const limits = { maxKeys: 1_000, maxBytes: 1e9 };

let backend: SessionBackend;
let remove: (rows: readonly Record<string, AttributeValue>[]) => Promise<void>;
let items: (table: 'sessions' | 'events', id?: string) => Promise<readonly Record<string, AttributeValue>[]>;

beforeEach(async () => {
  const { url, prefix, dispose } = newStorage(inject('dynamodb').url);
  backend = await createDynamoDbBackend(optionsOf({ url, prefix }));
  await backend.migrate();
  const client = new DynamoDBClient(dynamoDbConfig(url));
  onTestFinished(async () => {
    client.destroy();
    await backend.close();
    await dispose();
  });
  items = async (table, id = 's') => {
    const ExpressionAttributeValues = { ':id': { S: id } };
    const query = { KeyConditionExpression: 'id = :id', ExpressionAttributeValues, ConsistentRead: true };
    return (await client.send(new QueryCommand({ TableName: `${prefix}${table}`, ...query }))).Items ?? [];
  };
  remove = async (rows) => {
    for (const { id = { S: '' }, item = { S: '' } } of rows) {
      await client.send(new DeleteItemCommand({ TableName: `${prefix}events`, Key: { id, item } }));
    }
  };
  await backend.createSession({ id: 's', kind: 'session', principal: null, profile: '{}', expiresAt: NOW + HOUR }, NOW);
});

let tokens = 0;

async function append(now: number, streamId = 'x', bytes = 1): Promise<number | undefined> {
  const events = [{ streamId, message: 'm'.repeat(bytes), bytes }];
  const request = { sessionId: 's', token: `token-${++tokens}`, events, expiresAt: now + HOUR };
  const [result] = await backend.appendEvents([request], now);
  if (result instanceof Error) throw result;
  return result?.firstSeq;
}

async function commit(now: number, key: string, value: string | undefined): Promise<void> {
  const write = { key, value, bytes: value === undefined ? 0 : value.length, expectedVersion: undefined };
  await backend.commitState({ sessionId: 's', writes: [write], limits, expiresAt: now + HOUR }, now);
}

/**
 * The earliest time, in Unix milliseconds, at which DynamoDB may remove something of the session.
 */
async function earliestTtl(): Promise<number> {
  const all = [...(await items('sessions')), ...(await items('events'))];
  return Math.min(...all.map(({ ttl }) => Number(ttl?.N ?? 0))) * 1_000;
}

it('every item of a session has a time to live long after its expiry', async () => {
  await append(NOW);
  await commit(NOW, 'a', '1');
  await backend.trimEvents(
    's',
    { maxEvents: 0, maxBytes: undefined, createdBefore: undefined, throughSeq: undefined, limit: 9 },
    NOW,
  );
  expect((await items('sessions')).length).toBe(4);
  expect((await items('events')).length).toBe(1);
  expect(await earliestTtl()).toBeGreaterThanOrEqual(NOW + HOUR + 30 * DAY);
});

it('no item of a session that lives for a year comes close to its time to live', { timeout: 60_000 }, async () => {
  await commit(NOW, 'a', '1');
  await append(NOW);
  for (let now = NOW; now < NOW + 365 * DAY; now += 2 * DAY) {
    if ((now - NOW) % (10 * DAY) === 0) await append(now);
    const touch = async (): Promise<number> => {
      await backend.touchSession('s', now + 3 * DAY, now);
      return earliestTtl();
    };
    // No write waits for it, and where it has failed the next write begins it again.
    await expect.poll(touch, { interval: 5, timeout: 20_000 }).toBeGreaterThan(now + 10 * DAY);
  }
});

it('a head outlives the other items of its session', async () => {
  await append(NOW);
  const rows = await items('sessions');
  const ttlOf = (name: string) => Number(rows.find(({ item }) => item?.S === name)?.['ttl']?.N);
  expect(ttlOf('head')).toBeGreaterThan(ttlOf('facts'));
});

it('a sweep removes the leftovers of a clear, and nothing else', async () => {
  for (const key of ['a', 'b', 'c']) await commit(NOW, key, '"old"');
  await commit(NOW, 'large', 'x'.repeat(1_000_000));
  await backend.clearState('s', NOW + HOUR, NOW);
  await commit(NOW, 'b', '"new"');
  await commit(NOW, 'large', 'y'.repeat(400_000));
  const stateItems = async () => (await items('sessions')).filter(({ item }) => item?.S?.startsWith('key#')).length;
  expect(await stateItems()).toBe(6);
  // The session has been renewed: the sweep comes to it at the time at which it would have expired.
  await backend.touchSession('s', NOW + 5 * HOUR, NOW);
  expect((await backend.sweep(1_000, NOW + HOUR)).ids).toEqual([]);
  expect(await stateItems()).toBe(3);
  const rows = await backend.readState('s', undefined, NOW + HOUR);
  expect(rows?.map(({ key, value }) => [key, value.length])).toEqual([
    ['b', 5],
    ['large', 400_000],
  ]);
});

it('a sweep moves the due item of a session that was renewed, and ends with none', async () => {
  await append(NOW);
  await backend.touchSession('s', NOW + 5 * HOUR, NOW);
  const dueItems = async () => {
    const shards = await Promise.all([0, 1, 2, 3].map((shard) => items('sessions', `due ${shard}`)));
    return shards.flat().map(({ item }) => Number(item?.S?.slice(0, 16)));
  };
  expect(await dueItems()).toEqual([NOW + HOUR]);
  expect(await backend.sweep(1_000, NOW + HOUR)).toEqual({ ids: [], done: true });
  expect(await dueItems()).toEqual([NOW + 5 * HOUR]);
  expect((await backend.sweep(1_000, NOW + 5 * HOUR)).ids).toEqual(['s']);
  expect(await dueItems()).toEqual([]);
  expect([await items('sessions'), await items('events')]).toEqual([[], []]);
});

it('old tokens and trims are forgotten when a log is trimmed', { timeout: 60_000 }, async () => {
  for (let n = 0; n < 2_100; n += 50) {
    const events = Array.from({ length: 50 }, () => ({ streamId: 'x', message: '1', bytes: 1 }));
    await backend.appendEvents([{ sessionId: 's', token: `t${n}`, events, expiresAt: undefined }], NOW);
  }
  const tokensLeft = async () => (await items('sessions')).filter(({ item }) => item?.S?.startsWith('token#')).length;
  expect(await tokensLeft()).toBe(42);
  const bound = { maxEvents: 10, maxBytes: undefined, createdBefore: undefined, throughSeq: undefined, limit: 5_000 };
  expect(await backend.trimEvents('s', bound, NOW)).toBe(2_090);
  // Those of the last 1,000 events. The trim does not wait for it.
  await expect.poll(tokensLeft, { timeout: 10_000 }).toBe(20);
});

it('numbers continue after DynamoDB has removed every event, and readers learn of the gap', async () => {
  for (let n = 0; n < 5; n++) await append(NOW);
  const rows = await items('events');
  expect(rows.length).toBe(5);
  await remove(rows);
  const query = { sessionId: 's', streamId: undefined, afterSeq: 0, limit: 10, maxBytes: 1_000 };
  expect(await backend.readEvents(query, NOW)).toMatchObject({ events: [], lastSeq: 5, trimmedSeq: 5 });
  expect(await append(NOW)).toBe(6);
  expect(await backend.readEvents(query, NOW)).toMatchObject({ events: [{ seq: 6 }], trimmedSeq: 5 });
});
