import { createHash } from 'node:crypto';
import { setTimeout as wait } from 'node:timers/promises';
import { expect, it, vi } from 'vitest';
import { append, connect, createSession, newBackend, newSchema, openBackend, openStore } from './support/schemas.ts';

/** The channel of a store, as its client is told to listen to it. */
async function channelOf(statements: readonly string[]): Promise<string> {
  for (;;) {
    const [, channel] = /listen "(mcp_session_[0-9a-f]+)"/.exec(statements.join('\n')) ?? [];
    if (channel !== undefined) return channel;
    await wait(10);
  }
}

it('a notification contains no session id in plain text, and hints that come during one share the next', async () => {
  const { url, schema } = await newSchema();
  const statements: string[] = [];
  const sql = connect(url, { debug: (_, text) => statements.push(text) });
  const store = await openStore({ sql, schema });
  const other = await openBackend({ url, schema });
  const hinted = new Set<string>();
  await other.watch?.((sessionId) => hinted.add(sessionId));
  const payloads: string[] = [];
  const sessions = await Promise.all(Array.from({ length: 50 }, () => store.create()));
  const tail = sessions[0]?.events.tail()[Symbol.asyncIterator]();
  const first = tail?.next();
  await connect(url).listen(await channelOf(statements), (payload) => payloads.push(payload));

  statements.length = 0;
  await Promise.all(sessions.flatMap(({ events }) => Array.from({ length: 20 }, () => events.append('s', 'secret'))));
  await first;
  await tail?.return?.();
  await vi.waitFor(() => expect(hinted).toEqual(new Set(sessions.map(({ id }) => id))), 5_000);

  const appends = statements.filter((text) => text.includes('mcp_events')).length;
  const notifications = statements.filter((text) => text.includes('pg_notify')).length;
  // One more for the last appends, and one with which the store makes sure that they come through.
  expect(notifications).toBeLessThanOrEqual(appends + 2);
  expect(appends).toBeGreaterThan(0);
  expect(appends).toBeLessThan(500);
  await vi.waitFor(() => expect(payloads.length).toBeGreaterThan(0), 5_000);
  const said = payloads.flatMap((payload) => [payload, Buffer.from(payload.split(' ')[1] ?? '', 'base64').toString()]);
  expect(sessions.filter(({ id }) => said.some((text) => text.includes(id)))).toEqual([]);
});

it('a role without rights on the schema receives nothing, and cannot derive the channel from schema and prefix', async () => {
  const { url, schema } = await newSchema();
  // The channel of the versions before.
  const place = createHash('sha256').update(`${schema}\0mcp_`).digest('hex');
  const heard: string[] = [];
  await connect(url).listen(`mcp_session_${place.slice(0, 16)}`, (payload) => heard.push(payload));
  const [backend, other] = [await openBackend({ url, schema }), await openBackend({ url, schema })];
  await backend.migrate();
  const hinted: string[] = [];
  await other.watch?.((sessionId) => hinted.push(sessionId));
  await createSession(backend);
  await append(backend, 'token');
  await vi.waitFor(() => expect(hinted).toEqual(['a']), 5_000);
  expect(heard).toEqual([]);
});

it('a forged notification is no hint, and an endlessly repeated one causes few hints', async () => {
  const { url, schema } = await newSchema();
  const statements: string[] = [];
  const sql = connect(url, { debug: (_, text) => statements.push(text) });
  const [backend, other] = [await openBackend({ sql, schema }), await openBackend({ url, schema })];
  await backend.migrate();
  for (const id of ['a', 'b', 'c']) await createSession(backend, id);
  const hinted: string[] = [];
  await backend.watch?.((sessionId) => hinted.push(sessionId));
  const channel = await channelOf(statements);
  const payloads: string[] = [];
  const attacker = connect(url);
  await attacker.listen(channel, (payload) => payloads.push(payload));
  await append(other, 'token', ['s'], 'a');
  await vi.waitFor(() => expect(payloads.filter((payload) => !payload.startsWith(' '))).toHaveLength(1), 5_000);
  const real = payloads.find((payload) => !payload.startsWith(' ')) ?? '';
  const [node = '', sealed = ''] = real.split(' ');

  const forged = ['a', `${node} a`, `${node} ${Buffer.from('b').toString('base64')}`, 'a b', '', ' ', `${node} `];
  forged.push(`other-${node} ${sealed}`);
  for (const place of [8, 13, -1]) {
    const bytes = Buffer.from(sealed, 'base64');
    const at = place < 0 ? bytes.length + place : place;
    bytes.writeUInt8(bytes.readUInt8(at) ^ 1, at);
    forged.push(`${node} ${bytes.toString('base64')}`);
  }
  for (const payload of forged) await attacker.notify(channel, payload);
  await append(other, 'token', ['s'], 'b');
  await vi.waitFor(() => expect(hinted).toEqual(['a', 'b']), 5_000);

  const startedAt = performance.now();
  for (let n = 0; n < 20; n++) {
    await attacker`select pg_notify(${channel}, ${real} || repeat(' ', n)) from generate_series(1, 200) n`;
  }
  await append(other, 'token', ['s'], 'c');
  await vi.waitFor(() => expect(hinted).toContain('c'), 5_000);
  const again = hinted.filter((id) => id === 'a').length - 1;
  expect(again).toBeGreaterThan(0);
  // At most one every 5 ms.
  expect(again).toBeLessThan((performance.now() - startedAt) / 5 + 3);
});

it('a role that may not read the secret has no hints, and everything else works', async () => {
  const { sql, url, schema } = await newBackend();
  const [backend, other] = [await openBackend({ url, schema }), await openBackend({ url, schema })];
  await sql`alter table mcp_secrets rename to mcp_kept`;
  const hinted: string[] = [];
  await other.watch?.((sessionId) => hinted.push(sessionId));
  await createSession(backend);
  expect(await append(backend, 'token')).toMatchObject([{ firstSeq: 1 }]);
  // It is tried again by itself.
  await sql`alter table mcp_kept rename to mcp_secrets`;
  await expect
    .poll(() => append(backend, `token-${Math.random()}`).then(() => hinted.includes('a')), { timeout: 10_000 })
    .toBe(true);
});

it('consecutive appends share notifications, and the last one is not delayed', async () => {
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
  const sent = () => statements.filter((text) => text.includes('pg_notify')).length;
  // At most one every 5 ms, however long an append takes.
  expect(sent()).toBeLessThan(durationMs / 5 + 3);
  await vi.waitFor(() => expect(hinted).toContain(ids[1]), 5_000);
  expect(sent()).toBeGreaterThan(0);
});

it('a backend gets no hint of its own writes', async () => {
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

it('sends waiting hints when it is closed', async () => {
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
