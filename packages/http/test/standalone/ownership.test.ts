import { describe, expect, it } from 'vitest';
import { eventually } from '../support/harness.ts';
import type { Json } from '../support/line.ts';
import { lines } from '../support/lines.ts';
import { type Node, routed, startNodes } from '../support/nodes.ts';
import type { SseReader } from '../support/raw.ts';
import { leaveOwned } from '../support/record.ts';

const log = (data: unknown): Json => ({
  jsonrpc: '2.0',
  method: 'notifications/message',
  params: { level: 'info', data },
});

async function said(sse: SseReader): Promise<unknown> {
  return ((await sse.message()).message['params'] as Json)['data'];
}

async function messages(sse: SseReader): Promise<number> {
  return (await sse.rest()).filter(({ data }) => data).length;
}

describe.each(lines)('the standalone stream on several nodes, SDK $name', (line) => {
  it('a second GET gets 409 on every node until the first is closed', async () => {
    const nodes = await startNodes(line, 3, { leaseMs: 4_500 });
    const [a] = nodes as [Node];
    const first = a.raw();
    await first.begin();
    const clients = nodes.map((node) => node.raw(first.headers));
    for (let round = 0; round < 2; round++) {
      const open = await clients[round]?.get();
      expect(open?.status).toBe(200);
      for (const refused of await Promise.all(clients.map((client) => client.get()))) {
        expect(refused.status).toBe(409);
        await refused.cancel();
      }
      await open?.cancel();
    }
    // Of those that come at the same moment one is served.
    const answers = await Promise.all([...clients, ...clients].map((client) => client.get()));
    expect(answers.filter(({ status }) => status === 200)).toHaveLength(1);
    await Promise.all(answers.map((answer) => answer.cancel()));
    await eventually(async () => {
      const next = await clients[1]?.get();
      await next?.cancel();
      return next?.status === 200;
    });
  });

  it('a GET with its cursor takes it over on any node; the former connection gets nothing more', async () => {
    const nodes = await startNodes(line, 2);
    const [a, b] = nodes as [Node, Node];
    const client = a.raw();
    const id = await client.begin();
    const elsewhere = b.raw(client.headers);
    const session = await a.store.get(id);
    const first = await client.get();
    await session?.events.append('_GET_stream', log(1));
    const cursor = (await first.sse.message()).id;
    const second = await elsewhere.get({ 'last-event-id': cursor });
    expect(second.status).toBe(200);
    await session?.events.append('_GET_stream', log(2));
    expect(await said(second.sse)).toBe(2);
    expect(await messages(first.sse)).toBe(0);
    // And back, from an older cursor: what the marks of former holders say is not about the new
    // one.
    const third = await client.get({ 'last-event-id': cursor });
    expect(await said(third.sse)).toBe(2);
    expect(await messages(second.sse)).toBe(0);
    await session?.events.append('_GET_stream', log(3));
    expect(await said(third.sse)).toBe(3);
    await third.cancel();
  });

  it('it delivers the messages of any node once, wherever it is open, and later ones when it is opened', async () => {
    const nodes = await startNodes(line, 3, {
      serve: (node) => ({
        tools: {
          say: async ({ n }, _, server) => {
            await server.notify('notifications/message', { level: 'info', data: Number(n) });
            return String(node);
          },
        },
      }),
    });
    const [a] = nodes as [Node];
    const speaker = a.raw();
    await speaker.begin();
    const clients = nodes.map((node) => node.raw(speaker.headers));
    const say = async (n: number): Promise<void> => {
      await (await clients[n % 3]?.callTool('say', { n }))?.sse.rest();
    };
    for (let n = 1; n <= 6; n++) await say(n);
    const heard: unknown[] = [];
    let cursor: string | undefined;
    for (let round = 0; round < 4; round++) {
      const open = await clients[round % 3]?.get({ 'last-event-id': cursor });
      for (let n = 0; n < 6; n++) {
        const next = await open?.sse.message();
        cursor = next?.id;
        heard.push((next?.message as { params?: Json } | undefined)?.params?.['data']);
      }
      if (round % 2 === 0) await open?.cancel();
      for (let n = 1; n <= 6; n++) await say((round + 1) * 6 + n);
    }
    expect(heard).toEqual(Array.from({ length: 24 }, (_, i) => i + 1));
  });

  it('after its node was killed, a GET without a cursor waits for the lease to expire and is not refused', async () => {
    const nodes = await startNodes(line, 2, { leaseMs: 1_500 });
    const [a, b] = nodes as [Node, Node];
    const client = a.raw();
    const id = await client.begin();
    // As a node leaves it that dies: it holds the stream and says nothing any more.
    const since = Date.now();
    await leaveOwned(b.store, id, since);
    const elsewhere = b.raw(client.headers);
    const first = elsewhere.get();
    // One that gives up makes place for the others.
    const abort = new AbortController();
    const gaveUp = fetch(b.url, { headers: { ...client.headers, accept: 'text/event-stream' }, signal: abort.signal });
    await expect(
      Promise.race([first, new Promise((_, no) => setTimeout(() => no(new Error('waits')), 300))]),
    ).rejects.toThrow('waits');
    abort.abort();
    await expect(gaveUp).rejects.toThrow('aborted');
    expect((await first).status).toBe(200);
    expect(Date.now() - since).toBeGreaterThanOrEqual(1_500);
    // One that lives keeps it, for longer than a lease.
    await new Promise((resolve) => setTimeout(resolve, 1_800));
    const second = await client.get();
    expect(second.status).toBe(409);
    await second.cancel();
    await (await first).cancel();
    expect([...a.errors, ...b.errors]).toEqual([]);
  });

  it('a client that comes back with its cursor does not wait behind one that has none', async () => {
    const nodes = await startNodes(line, 2, { leaseMs: 60_000 });
    const [a, b] = nodes as [Node, Node];
    const client = a.raw();
    await client.begin();
    const elsewhere = b.raw(client.headers);
    const open = await client.get();
    const cursor = (await open.sse.next())?.id;
    // It waits for a node that lives, which says so only after twenty seconds.
    const abort = new AbortController();
    const waiting = fetch(b.url, { headers: { ...client.headers, accept: 'text/event-stream' }, signal: abort.signal });
    await new Promise((resolve) => setTimeout(resolve, 100));
    const resumed = await elsewhere.get({ 'last-event-id': cursor });
    expect(resumed.status).toBe(200);
    // Now it is held by the same node, which knows.
    expect((await waiting).status).toBe(409);
    await resumed.cancel();
  });

  it('closing a handler releases it at once', async () => {
    const nodes = await startNodes(line, 2);
    const [a, b] = nodes as [Node, Node];
    const client = a.raw();
    await client.begin();
    const open = await client.get();
    await a.handler.close();
    await open.sse.rest();
    const next = await b.raw(client.headers).get();
    expect(next.status).toBe(200);
    await next.cancel();
  });

  it('a real client whose every request goes to another node gets each message once', async () => {
    const nodes = await startNodes(line, 3, {
      retryIntervalMs: 10,
      serve: () => ({
        tools: {
          say: async ({ n }, { closeStandaloneStream }, server) => {
            await server.notify('notifications/message', { level: 'info', data: Number(n) });
            if (Number(n) % 5 === 0) closeStandaloneStream();
            return 'said';
          },
        },
      }),
    });
    const [a] = nodes as [Node];
    const client = await line.connect(a.url, { fetch: routed(nodes, (count) => count) });
    for (let n = 1; n <= 30; n++) expect(await client.call('say', { n })).toBe('said');
    await client.until(({ params }) => params['data'] === 30);
    expect(client.received.map(({ params }) => params['data'])).toEqual(Array.from({ length: 30 }, (_, i) => i + 1));
    await client.close();
  });
});
