import { createSessionStore } from '@mcp-session/core/backend';
import { describe, expect, it } from 'vitest';
import { allAddresses } from '../support/addresses.ts';
import { failingBackend } from '../support/failing-backend.ts';
import { eventually, gate, start } from '../support/harness.ts';
import type { Tool } from '../support/line.ts';
import { lines } from '../support/lines.ts';
import { type Node, startNodes } from '../support/nodes.ts';

describe.each(lines)('endAll, SDK $name', (line) => {
  it('ends the sessions of one principal, those that begin meanwhile included, and no others', async () => {
    const { raw, store, handler, errors } = await start(line);
    const bearer = (sub: string): Record<string, string> => ({ authorization: `Bearer https://i|${sub}` });
    const [ada, bob, anonymous] = [raw(bearer('ada')), raw(bearer('bob')), raw()];
    for (const client of [ada, bob, anonymous]) await client.begin();
    for (let more = 0; more < 30; more++) await raw(bearer('ada')).begin();
    const own = await store.create({ principal: 'https://i|ada', kind: 'task' });
    const listening = await ada.get();
    const ending = handler.endAll({ principal: 'https://i|ada' });
    const late = raw(bearer('ada'));
    await late.begin();
    expect(await ending).toBeGreaterThanOrEqual(31);
    expect((await listening.sse.rest()).filter(({ data }) => data)).toEqual([]);
    const statuses = [ada, bob, anonymous].map(async (client) => (await client.callTool('x')).status);
    expect(await Promise.all(statuses)).toEqual([404, 200, 200]);
    // The application's own records are its own.
    expect(await store.get(own.id, { kind: 'task', principal: own.principal })).toBeDefined();
    expect(await handler.endAll({ principal: 'nobody' })).toBe(0);
    expect(errors).toEqual([]);
  });

  it('costs as many calls of the backend as endAll of the store', async () => {
    const { backend, calls } = failingBackend();
    const store = await createSessionStore(backend);
    const { handler } = await start(line, { store });
    const of = { principal: 'ada' };
    const callsOf = async (end: () => Promise<unknown>): Promise<string[]> => {
      for (let n = 0; n < 30; n++) await store.create(of);
      calls();
      await end();
      return calls();
    };
    const expected = await callsOf(async () => {
      expect([await store.endAll(of), await store.endAll(of)]).toEqual([30, 0]);
    });
    expect(await callsOf(() => handler.endAll(of))).toEqual(expected);
  });

  it('a principal that is undefined or missing ends nothing', async () => {
    const { raw, store, handler } = await start(line);
    await raw().begin();
    for (const given of [{}, { principal: undefined }, { user: 'ada' }, undefined]) {
      await expect(handler.endAll(given as never)).rejects.toThrow(TypeError);
    }
    expect(await store.count()).toBe(1);
  });
});

const TTL_MS = 60_000;
const ENDINGS = ['DELETE', 'end by the application', 'endAll', 'expiry'] as const;

describe.each(
  lines.flatMap((line) =>
    allAddresses.map(([backend, newAddress]) => ({ line, name: line.name, backend, newAddress })),
  ),
)('the end of a session on several nodes, SDK $name on $backend', { timeout: 30_000 }, ({ line, newAddress }) => {
  it.each(ENDINGS)('rule 4: %s aborts handlers and closes streams on every node', async (ending) => {
    let now = Date.now();
    const aborted: number[] = [];
    const begun = [gate(), gate()];
    const endless: Tool = async ({ node }, { signal }) => {
      const abort = new Promise<void>((resolve) => signal.addEventListener('abort', () => resolve()));
      begun[Number(node)]?.open();
      await abort;
      aborted.push(Number(node));
      return 'too late';
    };
    const nodes = await startNodes(line, 4, {
      newAddress,
      store: { ttlMs: TTL_MS, clock: () => now },
      serve: () => ({ tools: { endless } }),
    });
    const [a] = nodes as [Node];
    const client = a.raw();
    const id = await client.begin();
    const clients = nodes.map((node) => node.raw(client.headers));
    const call = await clients[0]?.callTool('endless', { node: 0 });
    // The second node runs a request whose client has gone, to the third one, which runs none.
    const left = await clients[1]?.callTool('endless', { node: 1 });
    const cursor = (await left?.sse.next())?.id;
    await left?.cancel();
    const resumed = await clients[2]?.get({ 'last-event-id': cursor });
    const listening = await clients[2]?.get();
    await Promise.all(begun.map(({ passed }) => passed));
    // The fourth node holds nothing of it.
    if (ending === 'DELETE') expect((await clients[3]?.delete())?.status).toBe(204);
    else if (ending === 'endAll') expect(await nodes[3]?.handler.endAll({ principal: null })).toBe(1);
    else if (ending === 'expiry') now += TTL_MS;
    else expect(await (await nodes[3]?.store.get(id))?.end()).toBe(true);
    for (const open of [call, resumed, listening]) {
      expect((await open?.sse.rest())?.filter(({ data }) => data)).toEqual([]);
    }
    await eventually(() => aborted.length === 2);
    // Each node that has something of it at work finds out by itself.
    await eventually(() => nodes.every(({ handler }) => handler.localSessions === 0));
    for (const each of clients) expect((await each.callTool('endless')).status).toBe(404);
    expect(nodes.flatMap(({ errors }) => errors)).toEqual([]);
  });
});
