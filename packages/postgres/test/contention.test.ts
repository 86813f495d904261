import { setTimeout as wait } from 'node:timers/promises';
import type { SessionBackend } from '@mcp-session/core';
import { expect, it } from 'vitest';
import { append, connect, createSession, newBackend, newSchema, openBackend } from './support/schemas.ts';

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
    const { backend, sql } = await newBackend({ statementTimeoutMs: 200, notifications: 'off' });
    await createSession(backend);
    const holder = await sql.reserve();
    await holder`begin`;
    await holder`select from mcp_sessions where id = 'a' for update`;
    await expect(append(backend, 'waits')).rejects.toMatchObject({
      code: 'STORE_BUSY',
      retryable: true,
      outcomeUnknown: false,
      cause: expect.objectContaining({ code: '57014' }),
    });
    await holder`rollback`;
    holder.release();
    expect(await append(backend, 'waits')).toMatchObject([{ firstSeq: 1 }]);
  },
);

it('a serialization failure, where the database is set up to have them', async () => {
  const { url, schema } = await newSchema();
  const isolation = { default_transaction_isolation: 'serializable' } as const;
  const backend = await openBackend({
    sql: connect(url, { max: 4, connection: isolation }),
    schema,
    notifications: 'off',
  });
  await backend.migrate();
  await createSession(backend);
  const outcomes = await Promise.allSettled(Array.from({ length: 40 }, (_, n) => append(backend, `token-${n}`)));
  const failures = outcomes.filter(({ status }) => status === 'rejected');
  expect(failures.length).toBeGreaterThan(0);
  for (const failure of failures)
    expect(failure).toMatchObject({ reason: { code: 'STORE_BUSY', retryable: true, outcomeUnknown: false } });
  expect(await lastSeq(backend)).toBe(40 - failures.length);
});

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
