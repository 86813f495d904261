import { setTimeout as wait } from 'node:timers/promises';
import { expect, it, onTestFinished, vi } from 'vitest';
import { Proxy, withoutMessages } from './support/proxy.ts';
import { append, connect, createSession, newBackend, newSchema, openBackend, openStore } from './support/schemas.ts';

/** Warnings of this process that name the label, from now on. */
function collectWarnings(): readonly string[] {
  const warnings: string[] = [];
  const collect = ({ name, message }: Error): void => void (name === 'SessionStoreWarning' && warnings.push(message));
  process.on('warning', collect);
  onTestFinished(() => void process.off('warning', collect));
  return warnings;
}

/**
 * How many connections to the test's server listen, as it tells them: the last statement of each
 * was `listen`.
 */
async function listeners(sql: ReturnType<typeof connect>, schema: string): Promise<number> {
  const [row] = await sql<{ count: string }[]>`
    select count(*) from pg_stat_activity where application_name = ${schema} and query ilike 'listen%'`;
  return Number(row?.count);
}

it('a connection that is lost while it is tried out proves nothing, and the next one is tried out', async () => {
  const { url, schema } = await newSchema();
  const warnings = collectWarnings();
  const proxy = await Proxy.open(url);
  const without = withoutMessages('A');
  let lost = 0;
  // The first notification is lost with its connection.
  proxy.toClient = (bytes, link) => {
    const isNotified = without(bytes, link)?.length !== bytes.length;
    if (!isNotified || lost > 0) return bytes;
    lost++;
    return link.cut();
  };
  const backend = await openBackend({ url: proxy.url, schema });
  await backend.migrate();
  await backend.watch?.(() => undefined);
  await vi.waitFor(async () => expect(await backend.identifyProcess?.()).toBeDefined(), 20_000);
  expect([lost, warnings]).toEqual([1, []]);
});

it('notices that notifications do not arrive, warns once, and polls', { timeout: 60_000 }, async () => {
  const { url, schema } = await newSchema();
  const warnings = collectWarnings();
  const proxy = await Proxy.open(url);
  // What a pooler in transaction mode does with them.
  proxy.toClient = withoutMessages('A');
  const store = await openStore({ url: proxy.url, schema });
  const other = await openStore({ url, schema });
  const session = await store.create();
  const same = await other.get(session.id);
  const tail = session.events.tail()[Symbol.asyncIterator]();
  const first = tail.next();
  while (warnings.length === 0) await wait(50);
  // Nothing listens any more, and the tail has what others append all the same.
  await same?.events.append('s', 'first');
  expect((await first).value).toMatchObject({ message: 'first' });
  const second = tail.next();
  await same?.events.append('s', 'second');
  expect((await second).value).toMatchObject({ message: 'second' });
  expect(warnings).toEqual([expect.stringContaining('do not arrive')]);
});

it(
  'a pool that is busy when the first tail begins proves nothing about notifications',
  { timeout: 60_000 },
  async () => {
    const { backend: migrated, sql, url, schema } = await newBackend();
    const warnings = collectWarnings();
    await createSession(migrated);
    const backend = await openBackend({ url, schema, maxConnections: 1 });
    const holder = await sql.reserve();
    await holder`begin`;
    await holder`select from mcp_sessions where id = 'a' for update`;
    const waiting = append(backend, 'waits');
    const hinted: string[] = [];
    const watching = backend.watch?.((sessionId) => hinted.push(sessionId));
    // Longer than a notification may take.
    await wait(5_500);
    await holder`rollback`;
    holder.release();
    await Promise.all([waiting, watching]);
    await append(migrated, 'token', ['s']);
    await vi.waitFor(() => expect(hinted).toEqual(['a']), 5_000);
    expect(warnings).toEqual([]);
  },
);

it('a lost listening connection is restored, and no event is lost', { timeout: 60_000 }, async () => {
  const { url, schema } = await newSchema();
  const proxy = await Proxy.open(url);
  const look = connect(url);
  const store = await openStore({ url: `${proxy.url}?application_name=${schema}`, schema });
  const other = await openStore({ url, schema });
  const session = await store.create();
  const same = await other.get(session.id);
  const seen: unknown[] = [];
  const reading = (async () => {
    for await (const { message } of session.events.tail()) if (seen.push(message) === 40) return;
  })();
  for (let n = 0; n < 40; n++) {
    if (n % 10 === 5) {
      while ((await listeners(look, schema)) === 0) await wait(20);
      await look`
        select pg_terminate_backend(pid) from pg_stat_activity
        where application_name = ${schema} and query ilike 'listen%'`;
    }
    await same?.events.append('s', n);
  }
  await reading;
  expect(seen).toEqual(Array.from({ length: 40 }, (_, n) => n));
});
