import type { SessionError } from '@mcp-session/core';
import { createSessionStore, type SessionBackend } from '@mcp-session/core/backend';
import { expect, it } from 'vitest';
import { openBehindProxy } from './support/open.ts';
import type { Fault } from './support/proxy.ts';

const HOUR = 3_600_000;
const NOW = 1_800_000_000_000;

const faults: readonly Fault[] = [
  { kind: 'error', status: 400, name: 'ProvisionedThroughputExceededException' },
  { kind: 'error', status: 400, name: 'ThrottlingException' },
  { kind: 'error', status: 400, name: 'TransactionConflictException' },
  { kind: 'error', status: 400, name: 'TransactionCanceledException', reasons: ['TransactionConflict', 'None'] },
  { kind: 'error', status: 400, name: 'TransactionCanceledException', reasons: ['None', 'ThrottlingError'] },
  { kind: 'error', status: 500, name: 'InternalServerError' },
  { kind: 'error-after', status: 500, name: 'InternalServerError' },
  { kind: 'cut' },
  { kind: 'cut-after' },
  { kind: 'slow', delayMs: 20 },
  // Longer than the client waits.
  { kind: 'slow', delayMs: 1_500 },
];

async function create(backend: SessionBackend, ...ids: string[]): Promise<void> {
  for (const id of ids) {
    await backend.createSession({ id, kind: 'session', principal: null, profile: '{}', expiresAt: NOW + HOUR }, NOW);
  }
}

function request(sessionId: string, token: string) {
  return { sessionId, token, events: [{ streamId: 'x', message: '1', bytes: 1 }], expiresAt: undefined };
}

async function failure(work: Promise<unknown>): Promise<SessionError> {
  return work.then(
    () => expect.unreachable('It succeeded'),
    (error: unknown) => error as SessionError,
  );
}

it(
  'loses nothing that was acknowledged, and does nothing twice, behind an endpoint that does all of it',
  { timeout: 120_000 },
  async () => {
    const { proxy, open } = await openBehindProxy();
    const store = await createSessionStore(await open({}, 1_000), { sweep: false });
    const session = await store.create();
    let n = 0;
    // Every third request meets one of the faults, in turn.
    proxy.fault = () => (++n % 3 === 0 ? faults[(n / 3) % faults.length] : undefined);
    const acknowledged: string[] = [];
    for (let round = 0; round < 40; round++) {
      acknowledged.push(await session.events.append('x', { round }));
      await session.state.update('count', (count = 0) => count + 1);
      await session.state.set(`key-${round}`, round);
    }
    const seen: unknown[] = [];
    for await (const { id, seq, message } of session.events.replay()) seen.push([id, seq, message]);
    proxy.fault = () => undefined;
    expect(n).toBeGreaterThan(200);
    expect(seen).toEqual(acknowledged.map((id, round) => [id, round + 1, { round }]));
    expect(seen.length).toBe(40);
    expect(await session.state.get('count')).toBe(40);
    expect((await session.state.keys()).length).toBe(41);
    await store.close();
  },
);

it('permanent throttling: the allowed number of attempts, then an error that says so', async () => {
  const { proxy, open } = await openBehindProxy();
  const backend = await open({ maxAttempts: 3 });
  await create(backend, 's');
  for (const fault of faults.slice(0, 2)) {
    let attempts = 0;
    proxy.fault = () => {
      attempts++;
      return fault;
    };
    for (const call of [
      () => backend.appendEvents([request('s', 'a')], NOW),
      () => backend.readSession('s', NOW),
      () => backend.touchSession('s', NOW + 2 * HOUR, NOW),
    ]) {
      attempts = 0;
      expect(await failure(call())).toMatchObject({ code: 'STORE_BUSY', retryable: true, outcomeUnknown: false });
      expect(attempts).toBe(3);
    }
  }
});

it('permanent conflicts: the allowed number of attempts, then an error that says so', async () => {
  const { proxy, open } = await openBehindProxy();
  const backend = await open({ maxConflicts: 5 });
  await create(backend, 's');
  let attempts = 0;
  proxy.fault = () => {
    attempts++;
    return faults[3];
  };
  const error = await failure(backend.appendEvents([request('s', 'a')], NOW));
  expect(error).toMatchObject({ code: 'STORE_BUSY', retryable: true, outcomeUnknown: false });
  expect(attempts).toBe(5);
});

it('no answer at all: the outcome of a write is unknown, and its token resolves it', async () => {
  const { proxy, open } = await openBehindProxy();
  const backend = await open({ maxAttempts: 2 });
  await create(backend, 's');
  for (const [index, fault] of faults.filter(({ kind }) => kind.endsWith('after')).entries()) {
    proxy.fault = () => fault;
    const error = await failure(backend.appendEvents([request('s', `token-${index}`)], NOW));
    expect(error).toMatchObject({ code: 'STORE_UNAVAILABLE', retryable: true, outcomeUnknown: true });
    expect(await failure(backend.readSession('s', NOW))).toMatchObject({ outcomeUnknown: false });
    proxy.fault = () => undefined;
    const [result] = await backend.appendEvents([request('s', `token-${index}`)], NOW);
    expect(result).toMatchObject({ firstSeq: index + 1 });
  }
  // Not the client from before: on a connection that it has kept, a request may have gone out.
  const fresh = await open({ maxAttempts: 2 });
  await proxy.close();
  const error = await failure(fresh.appendEvents([request('s', 'token')], NOW));
  expect(error).toMatchObject({ code: 'STORE_UNAVAILABLE', retryable: true, outcomeUnknown: false });
});

it('answers normally if only the answer to its write was lost', async () => {
  const { proxy, open } = await openBehindProxy();
  const backend = await open();
  for (const fault of faults.filter(({ kind }) => kind.endsWith('after'))) {
    const id = `s-${JSON.stringify(fault).length}`;
    const once = async <T>(work: () => Promise<T>): Promise<T> => {
      let left = 1;
      proxy.fault = (operation) => (/Update|Write/.test(operation) && left-- > 0 ? fault : undefined);
      return work();
    };
    const session = { id, kind: 'session', principal: null, profile: '{}', expiresAt: NOW + HOUR };
    expect(await once(() => backend.createSession(session, NOW))).toBe(true);
    const write = { key: 'k', value: '1', bytes: 2, expectedVersion: 0 };
    const commit = { sessionId: id, writes: [write], limits: { maxKeys: 1, maxBytes: 2 }, expiresAt: undefined };
    expect((await once(() => backend.commitState(commit, NOW)))?.status).toBe('committed');
    const change = { profile: { text: '{"a":1}', expectedVersion: 1 }, record: undefined, expiresAt: undefined };
    expect((await once(() => backend.updateSession(id, change, NOW)))?.status).toBe('updated');
    expect(await once(() => backend.clearState(id, undefined, NOW))).toBe(1);
    expect(await once(() => backend.touchSession(id, NOW + 2 * HOUR, NOW))).toBe(true);
    expect(await once(() => backend.endSession(id, NOW + HOUR, NOW))).toBe(true);
    expect(await backend.endSession(id, NOW + HOUR, NOW)).toBe(false);
  }
});

it('one of two sessions of a batch fails, and the other succeeds', async () => {
  const { proxy, open } = await openBehindProxy();
  const backend = await open({ maxAttempts: 1 });
  await create(backend, 'a', 'b');
  // Each has a request of its own, and either may come first.
  proxy.fault = (_operation, body) => (JSON.stringify(body).includes('"id":{"S":"a"}') ? faults[0] : undefined);
  const batch = [request('a', 'token'), request('b', 'token')];
  expect(await backend.appendEvents(batch, NOW)).toMatchObject([{ code: 'STORE_BUSY' }, { firstSeq: 1 }]);
  proxy.fault = () => undefined;
  expect(await backend.appendEvents(batch, NOW)).toMatchObject([{ firstSeq: 1 }, { firstSeq: 1 }]);
});

it('a throttled session delays no other session', { timeout: 30_000 }, async () => {
  const { proxy, open } = await openBehindProxy();
  const store = await createSessionStore(await open({ maxAttempts: 1_000 }), { sweep: false });
  const [hot, ...others] = await Promise.all(Array.from({ length: 21 }, () => store.create()));
  proxy.fault = (operation, body) =>
    operation === 'TransactWriteItems' && JSON.stringify(body).includes(hot?.id ?? '') ? faults[0] : undefined;
  let answered = false;
  const held = hot?.events.append('x', 1).finally(() => (answered = true));
  await Promise.all(others.map(({ events }) => events.append('x', 1)));
  expect(answered).toBe(false);
  proxy.fault = () => undefined;
  await held;
  for (const session of [hot, ...others]) expect(await session?.events.recent(10)).toHaveLength(1);
  await store.close();
});

it('asks again for items that a batch left out', async () => {
  const { proxy, open } = await openBehindProxy();
  const backend = await open();
  await create(backend, 'a', 'b', 'c');
  proxy.fault = (operation) => (operation.startsWith('Batch') ? { kind: 'unprocessed' } : undefined);
  expect([...(await backend.readHeads(['a', 'b', 'c'], NOW)).keys()].toSorted()).toEqual(['a', 'b', 'c']);
  expect((await backend.readSession('a', NOW))?.profile).toBe('{}');
  const query = { kind: 'session', principal: undefined };
  expect(await backend.countSessions(query, NOW)).toBe(3);
});

it('a sweep that dies in the middle of a step is finished by another', async () => {
  const { proxy, open } = await openBehindProxy();
  const backend = await open({ maxAttempts: 1 });
  await create(backend, 's');
  for (let n = 0; n < 4; n++) {
    const events = Array.from({ length: 80 }, () => ({ streamId: 'x', message: '1', bytes: 1 }));
    await backend.appendEvents([{ sessionId: 's', token: `t${n}`, events, expiresAt: undefined }], NOW);
  }
  let left = 3;
  proxy.fault = (operation) => (/Write|Update/.test(operation) && left-- <= 0 ? { kind: 'cut' } : undefined);
  expect(await failure(backend.sweep(1_000, NOW + HOUR))).toMatchObject({ code: 'STORE_UNAVAILABLE' });
  proxy.fault = () => undefined;
  const other = await open();
  expect(
    await other.createSession(
      { id: 's', kind: 'session', principal: null, profile: '', expiresAt: NOW + 2 * HOUR },
      NOW,
    ),
  ).toBe(false);
  // Nobody sees half of it, not even a node whose clock is behind.
  expect(await other.readSession('s', NOW)).toBeUndefined();
  expect(await other.sweep(1_000, NOW + HOUR)).toEqual({ ids: ['s'], done: true });
  expect(
    await other.createSession(
      { id: 's', kind: 'session', principal: null, profile: '', expiresAt: NOW + 2 * HOUR },
      NOW,
    ),
  ).toBe(true);
  expect(
    await other.readEvents({ sessionId: 's', streamId: undefined, afterSeq: 0, limit: 9, maxBytes: 9 }, NOW),
  ).toMatchObject({ events: [], lastSeq: 0 });
});
