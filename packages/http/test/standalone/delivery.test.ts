import { setTimeout as pause } from 'node:timers/promises';
import { describe, expect, it } from 'vitest';
import { eventually, start } from '../support/harness.ts';
import type { Json } from '../support/line.ts';
import { lines } from '../support/lines.ts';
import { type Node, routed, startNodes } from '../support/nodes.ts';
import type { RawClient, RawResponse } from '../support/raw.ts';
import { recordOf } from '../support/record.ts';

/** Long enough for a client to count as having its first cursor. */
const SETTLE_MS = 40;

const log = (data: unknown): Json => ({
  jsonrpc: '2.0',
  method: 'notifications/message',
  params: { level: 'info', data },
});

/**
 * Reads a number of messages of a stream. @returns What they say, and the cursor of the last one.
 */
async function take(
  { sse }: RawResponse,
  count: number,
): Promise<{ readonly said: unknown[]; readonly cursor: string }> {
  const said: unknown[] = [];
  let cursor = '';
  for (let i = 0; i < count; i++) {
    const { id, message } = await sse.message();
    said.push((message['params'] as Json)['data']);
    cursor = id;
  }
  return { said, cursor };
}

/** Opens the stream as a client does that tries again while it gets 409. */
async function open(client: RawClient, cursor?: string): Promise<RawResponse> {
  for (;;) {
    const response = await client.get({ 'last-event-id': cursor });
    if (response.status !== 409) return response;
    await response.cancel();
  }
}

describe.each(lines)('delivery of the standalone stream, SDK $name', (line) => {
  it('a process that held the session all the time continues where another process stopped delivering', async () => {
    const { raw, store, served, handler, another } = await start(line, { keepAliveMs: 20 });
    const client = raw();
    const id = await client.begin();
    const [first, second] = [handler, another({ keepAliveMs: 20 })];
    const session = await store.get(id);
    const event = await session?.events.append('_GET_stream', { jsonrpc: '2.0', method: 'notifications/test' });

    const listening = await client.get();
    expect((await listening.sse.message()).id).toBe(event);
    const read = listening.sse.rest();
    await eventually(async () => (await recordOf(store, id)).delivered === event);
    await second.close();
    await read;

    served.replace(first);
    expect(first.localSessions).toBe(1);
    const again = await client.get();
    expect((await again.sse.next())?.id).toBe(`${event}.2`);
    await again.cancel();
  });

  it('a client with two alternating streams gets each message once', async () => {
    const nodes = await startNodes(line, 2, { keepAliveMs: SETTLE_MS, leaseMs: 4_500 });
    const [a, b] = nodes as [Node, Node];
    const here = a.raw();
    const id = await here.begin();
    const elsewhere = b.raw(here.headers);
    const session = await a.store.get(id);
    const say = (n: number): Promise<string> | undefined => session?.events.append('_GET_stream', log(n));

    const first = await here.get();
    await pause(SETTLE_MS + 20);
    await say(1);
    const one = await take(first, 1);
    // The stream of a request that both SDK lines resume, and of which they get the headers only,
    // becomes a second standalone one: without a cursor.
    const second = open(elsewhere);
    await pause(700);
    await say(2);
    const two = await take(first, 1);
    await first.cancel();
    const taken = await second;
    expect(taken.status).toBe(200);
    await say(3);
    const three = await take(taken, 1);
    // The first one comes back from where it was: it does not get what the second one got, and does
    // not take it away.
    const refused = await here.get({ 'last-event-id': two.cursor });
    expect(refused.status).toBe(409);
    await refused.cancel();
    await say(4);
    const four = await take(taken, 1);
    await pause(SETTLE_MS + 20);
    await taken.cancel();
    const back = await open(here, two.cursor);
    await say(5);
    const five = await take(back, 1);
    await back.cancel();
    expect([one, two, three, four, five].flatMap(({ said }) => said)).toEqual([1, 2, 3, 4, 5]);
    // A generation goes on by its own cursors, on whichever node, and with nothing left out.
    await say(6);
    const last = await open(elsewhere, five.cursor);
    expect((await take(last, 1)).said).toEqual([6]);
    await last.cancel();
    expect([...a.errors, ...b.errors]).toEqual([]);
  });

  it('a real client that loses the first frames of a resumed stream gets each message once', async () => {
    const nodes = await startNodes(line, 2, {
      keepAliveMs: SETTLE_MS,
      // A node that lives must not be taken for dead, however busy the machine is: its delivered
      // messages would be sent again.
      leaseMs: 3_000,
      retryIntervalMs: 10,
      restartRetryMs: 10,
      serve: () => ({
        tools: {
          say: async ({ n }, _, server) => {
            await server.notify('notifications/message', { level: 'info', data: Number(n) });
            return 'said';
          },
          // Ends its connection, so that its client comes back for the answer.
          poll: async (_, { closeStream }) => {
            closeStream();
            await pause(200);
            return 'polled';
          },
        },
      }),
    });
    const [a] = nodes as [Node];
    const standalone: AbortController[] = [];
    let lost = 0;
    const through = routed(nodes, (count) => count);
    const client = await line.connect(a.url, {
      fetch: async (input, init) => {
        const cursor = new Headers(init?.headers).get('last-event-id') ?? '_GET_stream';
        if (init?.method !== 'GET') return through(input, init);
        if (cursor.includes('req-') && lost === 0) {
          lost++;
          const { body, status, headers } = await through(input, init);
          await body?.cancel();
          return new Response(new ReadableStream({ start: (it) => it.error(new Error('lost')) }), {
            status,
            headers,
          });
        }
        const abort = new AbortController();
        if (cursor.includes('_GET_stream')) standalone.push(abort);
        return through(input, { ...init, signal: abort.signal });
      },
    });
    // Its answer is lost to the client, which has lost the cursor.
    void client.call('poll').catch(() => undefined);
    await eventually(() => lost === 1);
    for (let n = 1; n <= 30; n++) {
      expect(await client.call('say', { n })).toBe('said');
      if (n % 5 !== 0) continue;
      await client.until(({ params }) => params['data'] === n);
      await pause(SETTLE_MS);
      // The network fails.
      for (const abort of standalone.splice(0)) abort.abort();
    }
    await client.until(({ params }) => params['data'] === 30);
    // The client has two streams. What it missed of the one arrives beside what the other sends,
    // so only the order within a stream is certain.
    const numbers = client.received.map(({ params }) => Number(params['data']));
    expect(numbers.toSorted((one, other) => one - other)).toEqual(Array.from({ length: 30 }, (_, i) => i + 1));
    await client.close();
  }, 20_000);
});
