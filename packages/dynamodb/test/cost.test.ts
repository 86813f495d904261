import type { SessionBackend } from '@mcp-session/core/backend';
import { beforeEach, describe, expect, it } from 'vitest';
import { openBehindProxy } from './support/open.ts';
import { operations, units } from './support/counting.ts';
import type { Proxy } from './support/proxy.ts';

const HOUR = 3_600_000;
const NOW = 1_800_000_000_000;
const limits = { maxKeys: 1_000, maxBytes: 1e9 };

let backend: SessionBackend;
let proxy: Proxy;
let open: () => Promise<SessionBackend>;
let tokens = 0;

beforeEach(async () => {
  ({ proxy, open } = await openBehindProxy());
  proxy.counting = true;
  backend = await open();
  await backend.createSession({ id: 's', kind: 'session', principal: 'p', profile: '{}', expiresAt: NOW + HOUR }, NOW);
});

function events(count: number, bytes: number, streamId = 'x') {
  return Array.from({ length: count }, () => ({ streamId, message: 'm'.repeat(bytes), bytes }));
}

async function append(on: SessionBackend, count: number, bytes: number, streamId?: string): Promise<unknown> {
  const request = {
    sessionId: 's',
    token: `token-${++tokens}`,
    events: events(count, bytes, streamId),
    expiresAt: NOW + HOUR + tokens,
  };
  return on.appendEvents([request], NOW + tokens);
}

async function createExpired(id: string): Promise<boolean> {
  return backend.createSession({ id, kind: 'session', principal: null, profile: '{}', expiresAt: NOW + 1 }, NOW);
}

function write(key: string, value: string | undefined, expectedVersion?: number) {
  return { key, value, bytes: value === undefined ? 0 : key.length + value.length, expectedVersion };
}

async function commit(on: SessionBackend, ...writes: ReturnType<typeof write>[]): Promise<unknown> {
  return on.commitState({ sessionId: 's', writes, limits, expiresAt: NOW + HOUR }, NOW);
}

async function read(on: SessionBackend, streamId: string | undefined, afterSeq: number): Promise<unknown> {
  return on.readEvents({ sessionId: 's', streamId, afterSeq, limit: 10_000, maxBytes: 1e9 }, NOW);
}

/**
 * What an operation sends, and the units of the tables that it consumes. Reads that find nothing
 * are free on DynamoDB Local, not on AWS.
 */
async function cost(work: () => Promise<unknown>): Promise<readonly [readonly string[], number]> {
  const passed = await proxy.during(work);
  return [operations(passed), units(passed)];
}

describe('requests and units of capacity', () => {
  it('of sessions', async () => {
    const other = { id: 't', kind: 'session', principal: 'p', profile: '{}', expiresAt: NOW + HOUR };
    expect(await cost(() => backend.createSession(other, NOW))).toEqual([['TransactWriteItems'], 6]);
    expect(await cost(() => backend.readSession('s', NOW))).toEqual([['Query'], 1]);
    const asker = { kind: 'session', principal: 'p' };
    expect(await cost(() => backend.readSession('s', NOW, asker))).toEqual([['Query'], 1]);
    expect(await cost(async () => (await open()).readSession('s', NOW, asker))).toEqual([['GetItem', 'Query'], 2]);
    expect(await cost(() => backend.touchSession('s', NOW + 2 * HOUR, NOW))).toEqual([['UpdateItem'], 1]);
    const change = { profile: { text: '{"a":1}', expectedVersion: 1 }, record: undefined, expiresAt: undefined };
    expect(await cost(() => backend.updateSession('s', change, NOW))).toEqual([['TransactWriteItems'], 4]);
    expect(await cost(() => backend.readHeads(['s', 't', 'u'], NOW))).toEqual([['BatchGetItem'], 2]);
    expect(await cost(() => backend.endSession('t', NOW + HOUR, NOW))).toEqual([['TransactWriteItems'], 6]);
    expect(await cost(() => backend.ping())).toEqual([['GetItem'], 1]);
    expect(await cost(() => backend.migrate())).toEqual([['BatchGetItem'], 0]);
  });

  it("of another user's session: the cost of an unknown id, and the profile is not read", async () => {
    const profile = 'x'.repeat(200_000);
    const session = { id: 'u', kind: 'session', principal: 'p', profile, expiresAt: NOW + HOUR };
    await backend.createSession(session, NOW);
    for (const on of [backend, await open()]) {
      const others = [
        { kind: 'session', principal: 'other' },
        { kind: 'session', principal: null },
        { kind: 'other', principal: 'p' },
      ];
      for (const other of others) expect(await cost(() => on.readSession('u', NOW, other))).toEqual([['GetItem'], 1]);
      expect((await cost(() => on.readSession('v', NOW, { kind: 'session', principal: 'p' })))[0]).toEqual(['GetItem']);
    }
  });

  it('of an append by the only writer of a session: one request', async () => {
    expect(await cost(() => append(backend, 1, 300))).toEqual([['TransactWriteItems'], 6]);
    expect(await cost(() => append(backend, 1, 300))).toEqual([['TransactWriteItems'], 6]);
    expect(await cost(() => append(backend, 10, 300))).toEqual([['TransactWriteItems'], 24]);
    const fresh = await open();
    await fresh.readSession('s', NOW);
    expect(await cost(() => append(fresh, 1, 300))).toEqual([['TransactWriteItems'], 6]);
    // It does not know about that append, and learns it from the refusal.
    expect(await cost(() => append(backend, 1, 300))).toEqual([
      ['TransactWriteItems', 'TransactWriteItems'],
      expect.any(Number),
    ]);
  });

  it('of a state read: one request', async () => {
    await commit(backend, write('a', '1'), write('b', '2'));
    expect(await cost(() => backend.readState('s', ['a'], NOW))).toEqual([['BatchGetItem'], 2]);
    expect(await cost(() => backend.readState('s', ['a', 'b'], NOW))).toEqual([['TransactGetItems'], 6]);
    expect(await cost(() => backend.readState('s', undefined, NOW))).toEqual([['Query'], 1]);
    expect(await cost(async () => (await open()).readState('s', ['a'], NOW))).toEqual([['BatchGetItem'], 2]);
  });

  it('of a state write: one request', async () => {
    expect(await cost(() => commit(backend, write('a', '1')))).toEqual([['TransactWriteItems'], 4]);
    expect(await cost(() => commit(backend, write('a', '2', 1)))).toEqual([['TransactWriteItems'], 4]);
    expect(await cost(() => commit(backend, write('a', undefined)))).toEqual([['TransactWriteItems'], 4]);
    await commit(backend, write('a', '3'));
    expect(await cost(() => backend.clearState('s', NOW + HOUR, NOW))).toEqual([['TransactWriteItems'], 2]);
    await commit(backend, write('a', '4'));
    const fresh = await open();
    await fresh.readState('s', ['a'], NOW);
    expect(await cost(() => commit(fresh, write('a', '5')))).toEqual([['TransactWriteItems'], 4]);
    // It knows neither the key nor its size, and looks first.
    expect(await cost(async () => commit(await open(), write('a', '6')))).toEqual([
      ['BatchGetItem', 'TransactWriteItems'],
      6,
    ]);
    const full = { sessionId: 's', writes: [write('b', '1')], limits: { ...limits, maxKeys: 1 }, expiresAt: undefined };
    // Of two moments, the sums and the key could refuse what fits. So a refusal is made sure of.
    expect(await cost(async () => (await open()).commitState(full, NOW))).toEqual([
      ['BatchGetItem', 'TransactGetItems'],
      5,
    ]);
    const both = await cost(async () => commit(await open(), write('a', '7'), write('b', '7')));
    expect(both[0]).toEqual(['TransactGetItems', 'TransactWriteItems']);
  });

  it('of a replay: as many queries as the pages that its bytes need', async () => {
    for (let n = 0; n < 10; n++) await append(backend, 5, 100_000, n % 2 === 0 ? 'even' : 'odd');
    // 5 MB, 1 MB a page.
    const [whole] = await cost(() => read(backend, undefined, 0));
    expect(whole).toEqual([...Array.from({ length: 5 }, () => 'Query'), 'BatchGetItem']);
    const [stream] = await cost(() => read(backend, 'even', 0));
    expect(stream).toEqual([...Array.from({ length: 3 }, () => 'Query'), 'BatchGetItem']);
    expect(await cost(() => read(backend, 'even', 49))).toEqual([['Query', 'BatchGetItem'], expect.any(Number)]);
  });

  it('of one stream do not grow with other streams', async () => {
    await append(backend, 5, 300, 'quiet');
    const [, before] = await cost(() => read(backend, 'quiet', 0));
    for (let n = 0; n < 10; n++) await append(backend, 5, 50_000, 'busy');
    expect((await cost(() => read(backend, 'quiet', 0)))[1]).toBe(before);
  });

  it('of a tail and of a replay by a process that appends nothing', async () => {
    const reader = await open();
    await append(backend, 5, 300, 'a');
    await append(backend, 1, 300, 'b');
    // What was appended last is looked at in the log: whether all of it can be seen, the index does
    // not tell.
    expect((await cost(() => read(reader, 'a', 0)))[0]).toEqual(['GetItem', 'Query', 'BatchGetItem']);
    await append(backend, 1, 300, 'a');
    await reader.readHeads(['s'], NOW);
    expect((await cost(() => read(reader, 'a', 6)))[0]).toEqual(['Query', 'BatchGetItem']);
    expect((await cost(() => read(reader, undefined, 7)))[0]).toEqual(['BatchGetItem']);
    for (let n = 0; n < 3; n++) await append(backend, 20, 300, n === 1 ? 'a' : 'b');
    expect((await cost(async () => read(await open(), 'a', 0)))[0]).toEqual([
      'GetItem',
      'Query',
      'Query',
      'BatchGetItem',
    ]);
  });

  it('of a sweep that finds nothing: one request for each of four shards', async () => {
    expect(await cost(() => backend.sweep(1_000, NOW))).toEqual([['Query', 'Query', 'Query', 'Query'], 0]);
  });
});

it('removes a session with 4,000 events in bounded steps', { timeout: 120_000 }, async () => {
  for (let n = 0; n < 4_000; n += 90) await append(backend, Math.min(90, 4_000 - n), 20, `s${n}`);
  await backend.endSession('s', NOW + HOUR, NOW);
  const sizes: number[] = [];
  for (let done = false; !done;) {
    const passed = await proxy.during(async () => ({ done } = await backend.sweep(1_000, NOW + HOUR)));
    sizes.push(operations(passed).filter((name) => name === 'TransactWriteItems').length);
  }
  expect(sizes.length).toBeGreaterThan(4);
  expect(Math.max(...sizes)).toBeLessThan(14);
  expect(await backend.sweep(1_000, NOW + 2 * HOUR)).toEqual({ ids: [], done: true });
  expect(
    await backend.createSession({ id: 's', kind: 'session', principal: null, profile: '', expiresAt: NOW + HOUR }, NOW),
  ).toBe(true);
});

it.each([
  { rows: 12, limit: 100 },
  { rows: 0, limit: 60 },
])(
  'sweeps several sessions of $rows events at the same time, and about as many rows as it may',
  { timeout: 30_000 },
  async ({ rows, limit }) => {
    for (let n = 0; n < 30; n++) {
      const id = `dead-${n}`;
      await createExpired(id);
      const request = { sessionId: id, token: id, events: events(rows, 20), expiresAt: undefined };
      if (rows > 0) await backend.appendEvents([request], NOW);
    }
    proxy.fault = (operation) => (operation === 'UpdateItem' ? { kind: 'slow', delayMs: 50 } : undefined);
    const ids: string[] = [];
    for (let done = false; !done;) {
      const passed = await proxy.during(async () => {
        const step = await backend.sweep(limit, NOW + 1);
        ids.push(...step.ids);
        ({ done } = step);
      });
      const removed = passed
        .flatMap(({ body }) => (body['TransactItems'] ?? []) as object[])
        .filter((one) => 'Delete' in one);
      // Each of the last eight sessions may add its head and its due item.
      expect(removed.length).toBeLessThanOrEqual(limit + 16);
    }

    expect(ids.toSorted()).toEqual(Array.from({ length: 30 }, (_, n) => `dead-${n}`).toSorted());
    // Each of them is first marked as over.
    expect(proxy.mostAtOnce('UpdateItem')).toBeGreaterThan(1);
    expect(proxy.mostAtOnce('UpdateItem')).toBeLessThanOrEqual(8);
  },
);

it('sweeps of several nodes cost little more than that of one', { timeout: 60_000 }, async () => {
  const requests: number[] = [];
  for (const [round, nodes] of [1, 4, 4].entries()) {
    await Promise.all(Array.from({ length: 120 }, (_, n) => createExpired(`${round}-${n}`)));
    const passed = await proxy.during(async () => {
      const swept = await Promise.all(Array.from({ length: nodes }, async () => (await open()).sweep(1_000, NOW + 1)));
      expect(swept.flatMap(({ ids }) => ids).length).toBe(120);
    });
    requests.push(passed.length);
  }
  const [alone = 0, ...together] = requests;
  // Where all begin at the same place and look once, four nodes take 1.8 times as many. Where they
  // begin is random.
  expect(together.reduce((sum, each) => sum + each) / together.length / alone).toBeLessThan(1.6);
});
