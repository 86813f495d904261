import { setTimeout as wait } from 'node:timers/promises';
import { expect, it } from 'vitest';
import { Proxy, type Link } from './support/proxy.ts';
import { append, connect, createSession, newBackend, newRole, newSchema, openBackend } from './support/schemas.ts';

it(
  'a call that waited for its turn is not held against the server, which would have answered',
  { timeout: 60_000 },
  async () => {
    // The grace for an answer is 5 s: two turns of this are longer than one and the grace.
    const { backend, sql } = await newBackend({ maxConnections: 3, statementTimeoutMs: 5_200, notifications: 'off' });
    for (const id of ['held', 'free']) await createSession(backend, id);
    const holder = await sql.reserve();
    await holder`begin`;
    await holder`select from mcp_sessions where id = 'held' for update`;
    const waiting = Array.from({ length: 4 }, (_, n) => append(backend, `token-${n}`, ['s'], 'held'));
    // One connection is free again each time that one of the others gives up, and it is of use to
    // others meanwhile.
    const free = Array.from({ length: 40 }, async (_, n) => {
      await wait(250 * n);
      return await append(backend, `free-${n}`, ['s'], 'free');
    });
    for (const outcome of await Promise.allSettled(waiting)) {
      expect(outcome).toMatchObject({
        reason: { code: 'STORE_BUSY', outcomeUnknown: false, cause: { code: '57014' } },
      });
    }
    expect((await Promise.allSettled(free)).filter(({ status }) => status === 'rejected')).toEqual([]);
    await holder`rollback`;
    holder.release();
  },
);

it('a hanging connection is cut, and no other one', { timeout: 60_000 }, async () => {
  const { url, schema } = await newSchema();
  const proxy = await Proxy.open(url);
  const options = {
    url: proxy.url,
    schema,
    statementTimeoutMs: 4_000,
    maxConnections: 3,
    notifications: 'off',
  } as const;
  const backend = await openBackend(options);
  await backend.migrate();
  await createSession(backend);
  await Promise.all(Array.from({ length: 3 }, (_, n) => append(backend, `warm-${n}`)));
  let hanging: Link | undefined;
  const hang = (bytes: Buffer, link: Link): Buffer | undefined => {
    if (bytes.includes('unlucky')) hanging ??= link;
    return link === hanging ? undefined : bytes;
  };
  proxy.toServer = hang;
  let working = true;
  const others = Array.from({ length: 2 }, async (_, writer) => {
    let count = 0;
    while (working) {
      await append(backend, `${writer}-${count++}`);
      await wait(5);
    }
    return count;
  });
  await expect(append(backend, 'unlucky')).rejects.toMatchObject({ code: 'STORE_UNAVAILABLE', outcomeUnknown: true });
  await wait(100);
  working = false;
  for (const count of await Promise.all(others)) expect(count).toBeGreaterThan(20);
  // Its place in the pool is taken by a new one.
  proxy.toServer = (bytes) => bytes;
  await Promise.all(Array.from({ length: 6 }, (_, n) => append(backend, `after-${n}`)));
});

it('the goodbye of a connection that was ended during a statement fails no later statement', async () => {
  const { backend, sql } = await newBackend({ maxConnections: 1, notifications: 'off' });
  for (const id of ['held', 'free']) await createSession(backend, id);
  const holder = await sql.reserve();
  await holder`begin`;
  await holder`select from mcp_sessions where id = 'held' for update`;
  const waiting = Promise.allSettled([append(backend, 'waits', ['s'], 'held')]);
  await expect
    .poll(
      () => holder`select pg_terminate_backend(pid) from pg_stat_activity, unnest(pg_blocking_pids(pid)) as blocker
        where blocker = pg_backend_pid()`,
      { timeout: 10_000 },
    )
    .toHaveLength(1);
  expect(await waiting).toMatchObject([{ reason: { code: 'STORE_UNAVAILABLE' } }]);
  await append(backend, 'next', ['s'], 'free');
  await holder`rollback`;
  holder.release();
});

it('connections to a server that has become read-only are replaced', async () => {
  const { backend: owner, schema, sql } = await newBackend({ notifications: 'off' });
  await createSession(owner);
  const { role, url } = await newRole();
  await sql.unsafe(`grant usage on schema ${schema} to ${role}`);
  await sql.unsafe(`grant all on all tables in schema ${schema} to ${role}`);
  await sql.unsafe(`alter role ${role} set default_transaction_read_only = on`);
  const backend = await openBackend({ url, schema, maxConnections: 4, notifications: 'off' });
  const read = () => backend.readSession('a', 1);
  await Promise.all(Array.from({ length: 8 }, read));
  const refused = { code: 'STORE_READ_ONLY', retryable: true, outcomeUnknown: false };
  await expect(append(backend, 'early')).rejects.toMatchObject(refused);
  // From here on new connections can write, and those that are there cannot.
  await Promise.all(Array.from({ length: 8 }, read));
  await sql.unsafe(`alter role ${role} reset default_transaction_read_only`);
  await wait(1_000);
  await expect(append(backend, 'one')).rejects.toMatchObject(refused);
  expect(await Promise.all(Array.from({ length: 8 }, (_, n) => append(backend, `token-${n}`)))).toHaveLength(8);
});

it('on a read-only server, connections are replaced at most once a second', async () => {
  const { backend: owner, schema, url } = await newBackend({ notifications: 'off' });
  await createSession(owner);
  const name = `r${schema}`.slice(0, 60);
  const readOnly = new URL(url);
  readOnly.searchParams.set('default_transaction_read_only', 'on');
  readOnly.searchParams.set('application_name', name);
  const look = connect(url);
  const backend = await openBackend({ url: readOnly.href, schema, maxConnections: 2, notifications: 'off' });
  const pids = new Set<unknown>();
  const startedAt = performance.now();
  const elapsedMs = () => performance.now() - startedAt;
  for (let n = 0; n < 2 || elapsedMs() < 1_500; n++) {
    await expect(append(backend, `token-${n}`)).rejects.toMatchObject({ code: 'STORE_READ_ONLY' });
    for (const { pid } of await look`select pid from pg_stat_activity where application_name = ${name}`) pids.add(pid);
  }
  // Two at the start, and two for each second that has begun.
  expect(pids.size).toBeLessThanOrEqual(2 + 2 * Math.ceil(elapsedMs() / 1_000));
  expect(pids.size).toBeGreaterThan(1);
});
