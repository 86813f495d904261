import { setTimeout as wait } from 'node:timers/promises';
import { createPostgresStore, type PostgresStoreOptions } from '@mcp-session/postgres';
import type { SessionStore } from '@mcp-session/core';
import { expect, it, onTestFinished, vi } from 'vitest';
import { Proxy, withoutMessages } from './support/proxy.ts';
import { append, connect, createSession, newSchema, openBackend } from './support/schemas.ts';

async function openStore(options: PostgresStoreOptions): Promise<SessionStore> {
  const store = await createPostgresStore({ sweep: false, ...options });
  onTestFinished(() => store.close());
  return store;
}

/** Warnings of this process that name the label, from now on. */
function collectWarnings(): readonly string[] {
  const warnings: string[] = [];
  const collect = ({ name, message }: Error): void => void (name === 'SessionStoreWarning' && warnings.push(message));
  process.on('warning', collect);
  onTestFinished(() => void process.off('warning', collect));
  return warnings;
}

/** How many connections to the test's server listen, as it tells them: the last statement of each was `listen`. */
async function listeners(sql: ReturnType<typeof connect>, schema: string): Promise<number> {
  const [row] = await sql<{ count: string }[]>`
    select count(*) from pg_stat_activity where application_name = ${schema} and query ilike 'listen%'`;
  return Number(row?.count);
}

it('sends ids alone, and what moves while a notification is under way goes together', async () => {
  const { url, schema } = await newSchema();
  const statements: string[] = [];
  const sql = connect(url, { debug: (_, text) => statements.push(text) });
  const store = await openStore({ sql, schema });
  const payloads: string[] = [];
  const channels = async () => statements.filter((text) => /listen/i.test(text));
  const sessions = await Promise.all(Array.from({ length: 50 }, () => store.create()));
  const tail = sessions[0]?.events.tail()[Symbol.asyncIterator]();
  const first = tail?.next();
  while ((await channels()).length === 0) await wait(10);
  const channel = /"(mcp_session_[0-9a-f]+)"/.exec((await channels())[0] ?? '')?.[1] ?? '';
  await connect(url).listen(channel, (payload) => payloads.push(payload));

  statements.length = 0;
  await Promise.all(sessions.flatMap(({ events }) => Array.from({ length: 20 }, () => events.append('s', 'secret'))));
  await first;
  await tail?.return?.();
  while (!sessions.every(({ id }) => payloads.join(' ').includes(id))) await wait(10);

  const appends = statements.filter((text) => text.includes('mcp_events')).length;
  const notifications = statements.filter((text) => text.includes('pg_notify')).length;
  // One more for the last appends, and one with which the store makes sure that they come through.
  expect(notifications).toBeLessThanOrEqual(appends + 2);
  expect(appends).toBeGreaterThan(0);
  expect(appends).toBeLessThan(500);
  const ids = new Set(sessions.map(({ id }) => id));
  // Behind the name of the node.
  const named = payloads
    .filter((payload) => !payload.startsWith(' '))
    .flatMap((payload) => payload.split(' ').slice(1));
  expect(named.filter((id) => !ids.has(id))).toEqual([]);
});

it('appends one after the other share notifications, and a last one is not kept back', async () => {
  const { url, schema } = await newSchema();
  const statements: string[] = [];
  const sql = connect(url, { debug: (_, text) => statements.push(text) });
  const backend = await openBackend({ sql, schema });
  await backend.migrate();
  const listening = await openBackend({ url, schema });
  const hinted: string[] = [];
  await listening.watch?.((sessionId) => hinted.push(sessionId));
  const ids = ['first', 'last'] as const;
  for (const id of ids) await createSession(backend, id);
  const startedAt = performance.now();
  for (let n = 0; n < 200; n++) await append(backend, `token-${n}`, ['s'], ids[0]);
  const durationMs = performance.now() - startedAt;
  await append(backend, 'token', ['s'], ids[1]);
  const sent = statements.filter((text) => text.includes('pg_notify')).length;
  expect(sent).toBeGreaterThan(0);
  // One each 5 ms at the most, and never one for each append.
  expect(sent).toBeLessThan(Math.min(durationMs / 5 + 3, 150));
  await vi.waitFor(() => expect(hinted).toContain(ids[1]), 5_000);
});

it('a backend is not told of what it has moved itself', async () => {
  const { url, schema } = await newSchema();
  const [backend, other] = [await openBackend({ url, schema }), await openBackend({ url, schema })];
  await backend.migrate();
  const hinted: string[] = [];
  const overheard: string[] = [];
  await backend.watch?.((sessionId) => hinted.push(sessionId));
  await other.watch?.((sessionId) => overheard.push(sessionId));
  for (const id of ['own', 'foreign']) await createSession(backend, id);
  await append(backend, 'token', ['s'], 'own');
  await vi.waitFor(() => expect(overheard).toEqual(['own']), 5_000);
  await append(other, 'token', ['s'], 'foreign');
  // Notifications come in the order of their commits: the one of its own would have come before.
  await vi.waitFor(() => expect(hinted).toEqual(['foreign']), 5_000);
});

it('sends what waits when it is closed', async () => {
  const { url, schema } = await newSchema();
  const [backend, other] = [await openBackend({ url, schema, maxConnections: 1 }), await openBackend({ url, schema })];
  await backend.migrate();
  const hinted: string[] = [];
  await other.watch?.((sessionId) => hinted.push(sessionId));
  const ids = Array.from({ length: 50 }, (_, n) => `session-${n}`);
  for (const id of ids) await createSession(backend, id);
  for (const id of ids) await append(backend, 'token', ['s'], id);
  await backend.close();
  await vi.waitFor(() => expect(hinted).toEqual(ids), 5_000);
});

it('notices that notifications do not come through, says so once, and polls', { timeout: 60_000 }, async () => {
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
  expect(warnings).toEqual([expect.stringContaining('do not come through')]);
});

it('a listening connection that is lost comes back, and no event is lost with it', { timeout: 60_000 }, async () => {
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
