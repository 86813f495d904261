import { setTimeout as wait } from 'node:timers/promises';
import type { SessionBackend } from '@mcp-session/core/backend';
import { expect, it } from 'vitest';
import { append, connect, createSession, newBackend, newSchema, openBackend, untilWaiting } from './support/schemas.ts';

async function lastSeq(backend: SessionBackend): Promise<number | undefined> {
  return (await backend.readSession('a', 1))?.lastSeq;
}

it('calls wait for a connection while all are in use', { timeout: 60_000 }, async () => {
  const { backend, sql } = await newBackend({ maxConnections: 1, statementTimeoutMs: 60_000, notifications: 'off' });
  await createSession(backend);
  const holder = await sql.reserve();
  await holder`begin`;
  await holder`select from mcp_sessions where id = 'a' for update`;
  const [waiting, queued] = [append(backend, 'waits'), append(backend, 'queued')];
  await wait(200);
  await holder`rollback`;
  holder.release();
  expect(await Promise.all([waiting, queued])).toMatchObject([[{ firstSeq: 1 }], [{ firstSeq: 2 }]]);
});

it(
  'a lock that is not released in time: the server rolls back, and a retry can help',
  { timeout: 60_000 },
  async () => {
    const { backend, sql } = await newBackend({ statementTimeoutMs: 2_000, notifications: 'off' });
    await createSession(backend);
    const holder = await sql.reserve();
    await holder`begin`;
    await holder`select from mcp_sessions where id = 'a' for update`;
    await expect(append(backend, 'waits')).rejects.toMatchObject({
      code: 'STORE_BUSY',
      retryable: true,
      outcomeUnknown: false,
      // Others are not held up by it.
      scope: 'session',
      cause: expect.objectContaining({ code: '57014' }),
    });
    await holder`rollback`;
    holder.release();
    expect(await append(backend, 'waits')).toMatchObject([{ firstSeq: 1 }]);
  },
);

it.each(['repeatable read', 'serializable'] as const)(
  'a client of the caller that is set up for %s: what PostgreSQL refuses is tried again, and no call fails',
  { timeout: 60_000 },
  async (isolation) => {
    const { url, schema } = await newSchema();
    const connection = { default_transaction_isolation: isolation } as const;
    const backend = await openBackend({ sql: connect(url, { max: 4, connection }), schema, notifications: 'off' });
    await backend.migrate();
    await createSession(backend);
    const limits = { maxKeys: 10, maxBytes: 1_000 };
    const writes = [{ key: 'k', value: '1', bytes: 2, expectedVersion: undefined }];
    const commit = () => backend.commitState({ sessionId: 'a', writes, limits, expiresAt: undefined }, 1);
    await Promise.all(Array.from({ length: 40 }, (_, n) => (n % 2 === 0 ? append(backend, `token-${n}`) : commit())));
    expect(await lastSeq(backend)).toBe(20);
    expect(await backend.readState('a', ['k'], 1)).toMatchObject([{ version: 20 }]);
  },
);

it('batches of the same sessions in any order do not deadlock', { timeout: 60_000 }, async () => {
  const { backend, url, schema } = await newBackend({ notifications: 'off' });
  const ids = Array.from({ length: 20 }, (_, n) => `session-${n}`);
  for (const id of ids) await createSession(backend, id);
  const backends = [backend, await openBackend({ url, schema, notifications: 'off' })];
  const event = { streamId: 's', message: '1', bytes: 1 };
  const batch = (n: number) =>
    ids
      .toSorted(() => Math.random() - 0.5)
      .map((sessionId) => ({ sessionId, token: `${n}`, events: [event], expiresAt: undefined }));
  await Promise.all(Array.from({ length: 200 }, (_, n) => (backends[n % 2] ?? backend).appendEvents(batch(n), 1)));
  const heads = await backend.readHeads(ids, 1);
  expect(ids.map((id) => heads.get(id)?.lastSeq)).toEqual(ids.map(() => 200));
});

it('an append that is retried while the first attempt still waits is made once', { timeout: 60_000 }, async () => {
  const { backend, sql, url, schema } = await newBackend({ notifications: 'off' });
  const other = await openBackend({ url, schema, notifications: 'off' });
  for (const id of ['a', 'b']) await createSession(backend, id);
  const holder = await sql.reserve();
  await holder`begin`;
  await holder`select from mcp_sessions where id = 'a' for update`;
  const event = { streamId: 's', message: '1', bytes: 1 };
  const requests = ['a', 'b'].map((sessionId) => ({ sessionId, token: 'one', events: [event], expiresAt: undefined }));
  const attempts = [append(backend, 'one'), append(other, 'one'), other.appendEvents(requests, 1)];
  await untilWaiting(sql, schema, attempts.length);
  await holder`rollback`;
  holder.release();
  const answers = await Promise.all(attempts);
  expect(answers.map(([first]) => first)).toEqual(
    [1, 2, 3].map(() => ({ firstSeq: 1, retainedEvents: 1, retainedBytes: 1 })),
  );
  expect(answers[2]?.[1]).toEqual({ firstSeq: 1, retainedEvents: 1, retainedBytes: 1 });
  expect(await lastSeq(backend)).toBe(1);
});

it(
  'a write of state that waited for another one compares with what that one has written',
  { timeout: 60_000 },
  async () => {
    const { backend, sql, schema } = await newBackend({ notifications: 'off' });
    await createSession(backend);
    const limits = { maxKeys: 10, maxBytes: 1_000 };
    const write = (value: string, expectedVersion: number | undefined) => ({
      key: 'k',
      value,
      bytes: 2,
      expectedVersion,
    });
    const commit = (value: string, expectedVersion?: number) =>
      backend.commitState({ sessionId: 'a', writes: [write(value, expectedVersion)], limits, expiresAt: undefined }, 1);
    await commit('1');
    const holder = await sql.reserve();
    await holder`begin`;
    await holder`select from mcp_sessions where id = 'a' for update`;
    const waiting = [commit('2', 1), commit('3', 1), commit('4')];
    await untilWaiting(sql, schema, waiting.length);
    await holder`rollback`;
    holder.release();
    const outcomes = await Promise.all(waiting);
    const committed = outcomes.filter((outcome) => outcome?.status === 'committed');
    // The one without an expected version, and of the other two the one that was first, if it was
    // ahead of that one.
    expect(outcomes[2]?.status).toBe('committed');
    const versions = new Set(committed.map((outcome) => outcome?.status === 'committed' && outcome.version));
    expect(versions).toEqual(new Set(committed.map((_, index) => index + 2)));
    expect(committed.length).toBeLessThan(3);
    const [row] = await sql<{ state_keys: string; state_bytes: string; state_version: string }[]>`
    select state_keys, state_bytes, state_version from mcp_sessions where id = 'a'`;
    expect(row).toEqual({ state_keys: '1', state_bytes: '2', state_version: `${committed.length + 1}` });
  },
);
