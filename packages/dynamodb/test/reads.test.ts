import type { SessionBackend } from '@mcp-session/core/backend';
import { createDynamoDbBackend } from '@mcp-session/dynamodb';
import { beforeEach, describe, expect, it, onTestFinished } from 'vitest';
import { openBehindProxy } from './support/open.ts';
import type { Proxy } from './support/proxy.ts';
import { optionsOf } from './support/storage.ts';

const NOW = 1_800_000_000_000;
const HOUR = 3_600_000;
const limits = { maxKeys: 1_000, maxBytes: 1e9 };

let reader: SessionBackend;
/** In another process, as it were. */
let other: SessionBackend;
let proxy: Proxy;

beforeEach(async () => {
  const behind = await openBehindProxy();
  ({ proxy } = behind);
  reader = await behind.open();
  other = await createDynamoDbBackend(optionsOf(behind.direct));
  onTestFinished(() => other.close());
  await reader.createSession({ id: 's', kind: 'session', principal: null, profile: '{}', expiresAt: NOW + HOUR }, NOW);
});

let tokens = 0;

async function append(backend: SessionBackend, ...streams: readonly string[]): Promise<void> {
  const events = streams.map((streamId) => ({ streamId, message: '1', bytes: 1 }));
  await backend.appendEvents([{ sessionId: 's', token: `t${++tokens}`, events, expiresAt: undefined }], NOW);
}

async function commit(backend: SessionBackend, values: Readonly<Record<string, string>>): Promise<void> {
  const writes = Object.entries(values).map(([key, value]) => ({
    key,
    value,
    bytes: value.length,
    expectedVersion: undefined,
  }));
  await backend.commitState({ sessionId: 's', writes, limits, expiresAt: undefined }, NOW);
}

/**
 * Reads, and lets something happen after the first request of the given kind was served and before
 * its answer is there.
 */
async function amidst<T>(operation: string, read: () => Promise<T>, happening: () => Promise<unknown>): Promise<T> {
  let happened = false;
  proxy.intercept = async (name, body, pass) => {
    const answer = await pass(name, body);
    if (name === operation && !happened) {
      happened = true;
      await happening();
    }
    return answer;
  };
  return read();
}

const readStream = () =>
  reader.readEvents({ sessionId: 's', streamId: 'quiet', afterSeq: 0, limit: 100, maxBytes: 1_000 }, NOW);

it('a state of several pages is a snapshot, also if it changes between the pages', async () => {
  for (const key of ['a', 'b', 'c', 'd', 'e', 'z']) await commit(other, { [key]: '1'.repeat(350_000) });
  const rows = await amidst(
    'Query',
    () => reader.readState('s', undefined, NOW),
    () => commit(other, { a: '2'.repeat(350_000), z: '2'.repeat(350_000) }),
  );
  const [a, z] = ['a', 'z'].map((key) => rows?.find((row) => row.key === key)?.value[0]);
  expect([a, z]).toEqual(['2', '2']);
  expect(rows?.length).toBe(6);
});

it('a page of a stream does not cover numbers that were appended while it was read', async () => {
  await append(reader, 'quiet', 'busy');
  const page = await amidst('Query', readStream, () => append(other, 'quiet', 'busy'));
  expect(page).toMatchObject({ events: [{ seq: 1 }], lastSeq: 2 });
  expect(await readStream()).toMatchObject({ events: [{ seq: 1 }, { seq: 3 }], lastSeq: 4 });
});

it('a page that was trimmed while it was read says so, and shows no trimmed event', async () => {
  await append(reader, 'quiet', 'busy', 'quiet');
  const bound = { maxEvents: 1, maxBytes: undefined, createdBefore: undefined, throughSeq: undefined, limit: 10 };
  const page = await amidst('Query', readStream, () => other.trimEvents('s', bound, NOW));
  expect(page).toMatchObject({ events: [{ seq: 3 }], lastSeq: 3, trimmedSeq: 1 });
});

it('a session that was ended while it was read does not exist', async () => {
  await append(reader, 'quiet');
  const page = await amidst('Query', readStream, () => other.endSession('s', NOW + HOUR, NOW));
  expect(page).toBeUndefined();
});

describe('all of a state of several pages beside a writer', () => {
  /** Answers each query for the state after a commit that comes right behind it. */
  function commitBehindQueries(...keysOf: readonly ((n: number) => string)[]): () => number {
    let queries = 0;
    proxy.intercept = async (operation, body, pass) => {
      const answer = await pass(operation, body);
      if (operation !== 'Query') return answer;
      queries++;
      await commit(other, Object.fromEntries(keysOf.map((keyOf) => [keyOf(queries), String(queries)])));
      return answer;
    };
    return () => queries;
  }

  beforeEach(async () => {
    for (const key of ['k', 'l', 'm', 'n']) await commit(other, { [key]: '1'.repeat(350_000) });
  });

  it('of the same keys: a few reads, and the result is a snapshot', async () => {
    const queries = commitBehindQueries(
      () => 'a',
      () => 'z',
    );
    const rows = await reader.readState('s', undefined, NOW);
    const values = new Map(rows?.map(({ key, value }) => [key, value]));
    expect([...values.keys()].toSorted()).toEqual(['a', 'k', 'l', 'm', 'n', 'z']);
    expect(values.get('a')).toBe(values.get('z'));
    expect(queries()).toBeLessThanOrEqual(4);
  });

  it('of other keys each time: an error that says what to do, after a few reads', async () => {
    const queries = commitBehindQueries(
      (n) => `a${n}`,
      () => 'z',
    );
    await expect(reader.readState('s', undefined, NOW)).rejects.toMatchObject({
      code: 'STORE_BUSY',
      scope: 'session',
      retryable: true,
      message: expect.stringContaining('read only the keys that you need'),
    });
    expect(queries()).toBeLessThanOrEqual(8);
  });
});
