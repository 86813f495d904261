import type { SessionStore } from '@mcp-session/core';
import { setTimeout as pause } from 'node:timers/promises';
import { describe, expect, it } from 'vitest';
import { factsOf, type KnownServer, updateFacts } from '../../src/lib/store/session-record.ts';
import { addresses } from '../support/addresses.ts';
import { openStore } from '../support/chaos-store.ts';
import { eventually, start } from '../support/harness.ts';
import type { TestServer } from '../support/line.ts';
import { lines } from '../support/lines.ts';
import { type Node, startNodes } from '../support/nodes.ts';
import type { RawClient } from '../support/raw.ts';

const a = (): TestServer => ({ version: '1.0.0', tools: { one: () => '1' } });
const b = (): TestServer => ({ version: '2.0.0', tools: { one: () => '1', two: () => '2' } });
const ALL = ['notifications/tools/list_changed', 'notifications/resources/list_changed'];

/** What was sent about lists, oldest first. */
async function sent(store: SessionStore, id: string): Promise<string[]> {
  const events = (await (await store.get(id))?.events.recent(1_000, '_GET_stream')) ?? [];
  const methods = events.map(({ message }) => String((message as { method?: string }).method));
  return methods.filter((method) => method.endsWith('list_changed'));
}

async function knownServer(store: SessionStore, id: string): Promise<KnownServer | undefined> {
  const session = await store.get(id);
  return session && factsOf(session).record.server;
}

async function list(client: RawClient): Promise<number> {
  const answer = await client.post({ jsonrpc: '2.0', id: crypto.randomUUID(), method: 'tools/list' });
  const { result } = JSON.parse((await answer.sse.rest()).at(-1)?.data ?? '') as { result: { tools: unknown[] } };
  return result.tools.length;
}

async function call(client: RawClient): Promise<void> {
  expect((await (await client.callTool('one')).sse.rest()).at(-1)?.data).toContain('"1"');
}

/** Handlers that start in the same millisecond have no order. */
const later = (): Promise<void> => pause(2);

describe.each(lines)('a session whose server was replaced, SDK $name', (line) => {
  it('a client with default options has the new tools without asking', async () => {
    const { url, handler, another, errors } = await start(line, { serve: a, restartRetryMs: 20 });
    const listed: string[][] = [];
    const client = await line.connect(url, { onTools: (names) => void listed.push([...names]) });
    expect(await client.call('one')).toBe('1');
    await later();
    another({ serve: b });
    await handler.close();
    await eventually(() => listed.length > 0);
    expect(listed).toEqual([['one', 'two']]);
    expect(await client.call('two')).toBe('2');
    await client.close();
    expect(errors).toEqual([]);
  });

  it('rule 23: is notified once for each list that the new server declares, and not by the same server again', async () => {
    const { raw, store, another, errors } = await start(line, { serve: a });
    const client = raw();
    const id = await client.begin();
    another({ serve: a });
    await call(client);
    expect(await sent(store, id)).toEqual([]);
    for (let restart = 0; restart < 3; restart++) {
      await later();
      another({ serve: b });
      await call(client);
      expect(await sent(store, id)).toEqual(ALL);
    }
    // Back to the former version.
    await later();
    another({ serve: a });
    await call(client);
    expect(await sent(store, id)).toEqual([...ALL, ...ALL]);
    expect(errors).toEqual([]);
  });

  it('goes by the option revision alone, if it is set', async () => {
    const { raw, store, another } = await start(line, { serve: a, revision: '1' });
    const client = raw();
    const id = await client.begin();
    await later();
    another({ serve: b });
    await call(client);
    expect(await sent(store, id)).toEqual([]);
    await later();
    another({ serve: b, revision: '2' });
    await call(client);
    expect(await sent(store, id)).toEqual(ALL);
  });

  it('is notified if no server was recorded, as after an update of this package', async () => {
    const { raw, store, another } = await start(line, { serve: a });
    const client = raw();
    const id = await client.begin();
    const session = await store.get(id);
    if (session !== undefined) {
      await updateFacts(session, ({ protocol, record }) => ({ protocol, record: { ...record, server: undefined } }));
    }
    another();
    await call(client);
    expect(await sent(store, id)).toEqual(ALL);
  });

  it('a restore that finds the same server reads and writes the store as before', async () => {
    const calls: string[] = [];
    const { raw, another } = await start(line, {
      serve: a,
      memory: { observe: ({ name }) => void calls.push(name) },
    });
    const client = raw();
    await client.begin();
    await later();
    another();
    calls.length = 0;
    await call(client);
    expect(calls).toEqual(['readSession', 'readEvents', 'appendEvents']);
  });

  it('rule 23: a protocol version that the new server does not speak is refused with 400, and reported once', async () => {
    const { raw, store, another, errors } = await start(line, { serve: a });
    const client = raw();
    const id = await client.begin('2025-06-18');
    const session = await store.get(id);
    // As if both lines had spoken it once.
    if (session !== undefined) {
      await updateFacts(session, ({ protocol, record }) => ({
        protocol: {
          ...protocol,
          protocolVersion: '2025-01-01',
          initializeParams: { ...(protocol.initializeParams as object), protocolVersion: '2025-01-01' },
        },
        record,
      }));
    }
    another();
    for (const header of ['2025-01-01', undefined]) {
      const refused = await client.post(client.toolCall('one'), { 'mcp-protocol-version': header });
      expect([refused.status, (await refused.error()).message]).toEqual([
        400,
        'Bad Request: Unsupported protocol version: 2025-01-01. The server was replaced by one that speaks 2025-11-25; start a new session',
      ]);
    }
    expect(errors.map(String)).toEqual([expect.stringContaining('Unsupported protocol version: 2025-01-01')]);
    expect(await store.get(id)).toBeDefined();
  });
});

describe.each(
  lines.flatMap((line) => addresses.map(([backend, newAddress]) => ({ line, name: line.name, backend, newAddress }))),
)('nodes of two versions at once, SDK $name on $backend', ({ line, newAddress }) => {
  const serve = (node: number): TestServer => (node === 0 ? a() : b());

  it('rule 23: notify a client once over all nodes', async () => {
    const nodes = await startNodes(line, 4, { newAddress, serve });
    const [first] = nodes as [Node];
    const old = first.raw();
    const id = await old.begin();
    const [, ...others] = nodes.map((node) => node.raw(old.headers));
    await Promise.all(others.flatMap((client) => [call(client), call(client)]));
    await Promise.all([old, ...others].map((client) => call(client)));
    expect(await sent(first.store, id)).toEqual(ALL);
    expect(nodes.flatMap(({ errors }) => errors)).toEqual([]);
  });

  it('do not take turns; a list from the old version is fetched again from the new one', async () => {
    const [one, two] = (await startNodes(line, 2, { newAddress, serve })) as [Node, Node];
    const old = one.raw();
    const id = await old.begin();
    const current = two.raw(old.headers);
    for (let round = 0; round < 3; round++) for (const client of [current, old]) await call(client);
    expect(await sent(one.store, id)).toEqual(ALL);
    // The notification made the client fetch its list, and the load balancer chose the old node.
    for (let round = 1; round <= 2; round++) {
      expect([await list(old), await list(old)]).toEqual([1, 1]);
      await call(old);
      expect((await knownServer(one.store, id))?.isListStale).toBe(true);
      await call(current);
      expect(await list(current)).toBe(2);
      expect(await sent(one.store, id)).toHaveLength(2 * (round + 1));
    }
    await call(old);
    await call(current);
    expect(await sent(one.store, id)).toHaveLength(6);
    expect([...one.errors, ...two.errors]).toEqual([]);
  });

  it('let the older version take over after ten minutes, at most once in this time', async () => {
    const [one, two] = (await startNodes(line, 2, { newAddress, serve })) as [Node, Node];
    const old = one.raw();
    const id = await old.begin();
    const current = two.raw(old.headers);
    await call(current);
    const age = async (ms: number): Promise<void> => {
      const session = await one.store.get(id);
      if (session === undefined) throw new Error('No session');
      await updateFacts(session, ({ protocol, record: { server, ...record } }) => ({
        protocol,
        record: { ...record, server: server && { ...server, recordedAt: server.recordedAt - ms } },
      }));
    };
    await age(590_000);
    await call(old);
    expect(await sent(one.store, id)).toHaveLength(2);
    await age(10_000);
    for (let round = 0; round < 3; round++) for (const client of [old, current]) await call(client);
    expect(await sent(one.store, id)).toHaveLength(4);
  });
});

it('a notification that could not be stored is sent with the next request', async () => {
  const [[, newAddress]] = addresses as [(typeof addresses)[number]];
  const address = await newAddress();
  const [line] = lines;
  if (line === undefined) throw new Error('No line');
  const store = await openStore(address);
  const { raw, another, errors } = await start(line, { store, serve: a });
  const client = raw();
  const id = await client.begin();
  await later();
  const session = Object.getPrototypeOf((await store.get(id))?.events) as { append: (...given: unknown[]) => unknown };
  const { append } = session;
  session.append = function failing(...given) {
    if (JSON.stringify(given).includes('list_changed')) throw new Error('not now');
    return Reflect.apply(append, this, given);
  };
  another({ serve: b });
  try {
    await call(client);
  } finally {
    session.append = append;
  }
  expect(await sent(store, id)).toEqual([]);
  expect(errors.map(String)).toEqual(['Error: not now']);
  await call(client);
  expect(await sent(store, id)).toEqual(ALL);
});
