import { setTimeout as pause } from 'node:timers/promises';
import { describe, expect, it } from 'vitest';
import { addresses } from '../support/addresses.ts';
import { eventually, gate } from '../support/harness.ts';
import type { Tool } from '../support/line.ts';
import { lines } from '../support/lines.ts';
import { type Node, routed, startNodes } from '../support/nodes.ts';
import { recordOf } from '../support/record.ts';
import { SseReader } from '../support/raw.ts';

describe.each(
  lines.flatMap((line) => addresses.map(([backend, newAddress]) => ({ line, name: line.name, backend, newAddress }))),
)('handlers that let their clients poll, SDK $name on $backend', { timeout: 30_000 }, ({ line, newAddress }) => {
  it("close the connection of their request's stream on any node, and never one that was opened afterwards", async () => {
    const [answer, commands] = [gate(), [gate(), gate()]];
    const poll: Tool = async (_, { closeStream, notify }) => {
      closeStream();
      for (const [index, { passed }] of commands.entries()) {
        await passed;
        await notify('notifications/message', { level: 'info', data: index });
        closeStream();
      }
      await answer.passed;
      return 'polled';
    };
    const nodes = await startNodes(line, 2, {
      newAddress,
      retryIntervalMs: 20,
      serve: (node) => ({ tools: node === 0 ? { poll } : {} }),
    });
    const [a] = nodes as [Node];
    const cursors: string[] = [];
    // Whatever it posts goes to the node that runs its request, and it comes back to the other one.
    const through = routed(nodes, (_, init) => (init?.method === 'GET' ? 1 : 0));
    const client = await line.connect(a.url, {
      fetch: async (input, init) => {
        const response = await through(input, init);
        const cursor = new Headers(init?.headers).get('last-event-id');
        // When it is open: what its handler closes before is not it.
        if (cursor?.includes('req-') === true && response.ok) cursors.push(cursor);
        return response;
      },
    });
    const call = client.call('poll');
    for (const [index, { open }] of commands.entries()) {
      await eventually(() => cursors.length === index + 1);
      await pause(150);
      expect(cursors).toHaveLength(index + 1);
      open();
    }
    await eventually(() => cursors.length === 3);
    await pause(150);
    expect(cursors).toHaveLength(3);
    answer.open();
    expect(await call).toBe('polled');
    expect(client.received.map(({ params }) => params['data'])).toEqual([0, 1]);
    // From its first cursor again, before all of the marks.
    const raw = a.raw({ 'mcp-session-id': client.sessionId, 'mcp-protocol-version': '2025-11-25' });
    for (const node of nodes) {
      const whole = await node.raw(raw.headers).get({ 'last-event-id': cursors[0] });
      expect((await whole.sse.rest()).filter(({ data }) => data)).toHaveLength(3);
    }
    await client.close();
    expect(nodes.flatMap(({ errors }) => errors)).toEqual([]);
  });

  it('do not close the connection of a client that reconnects at once, to any node', async () => {
    const nodes = await startNodes(line, 2, {
      newAddress,
      serve: () => ({
        tools: {
          poll: async (_, { closeStream, notify }) => {
            closeStream();
            await pause(30);
            await notify('notifications/message', { level: 'info', data: 'still open' });
            return 'polled';
          },
          late: async (_, { closeStream, notify }) => {
            await notify('notifications/message', { level: 'info', data: 'open' });
            await pause(30);
            closeStream();
            await pause(30);
            return 'polled';
          },
        },
      }),
    });
    const client = (nodes as [Node])[0].raw();
    await client.begin();
    // Without a socket between them, it is as quick as can be.
    const ask = async (node: number, init: RequestInit): Promise<SseReader> => {
      const { url, handler } = nodes[node] as Node;
      const response = await handler.fetch(new Request(url, init));
      expect(response.status).toBe(200);
      return new SseReader(response.body as ReadableStream<Uint8Array>);
    };
    const accept = 'application/json, text/event-stream';
    for (const [round, tool] of ['poll', 'late', 'poll', 'late'].entries()) {
      const headers = { ...client.headers, accept, 'content-type': 'application/json' };
      const call = await ask(0, { method: 'POST', headers, body: JSON.stringify(client.toolCall(tool)) });
      const first = await call.rest();
      expect(first.at(-1)?.retry).toBe(1_000);
      expect(first.filter(({ data }) => data)).toHaveLength(tool === 'late' ? 1 : 0);
      const cursor = first.findLast(({ id }) => id !== undefined)?.id ?? '';
      const rest = await (await ask(round < 2 ? 0 : 1, { headers: { ...headers, 'last-event-id': cursor } })).rest();
      expect(rest.at(-1)?.data).toContain('polled');
    }
    expect(nodes.flatMap(({ errors }) => errors)).toEqual([]);
  });

  it('close the standalone stream too, and lose and repeat nothing', async () => {
    const nodes = await startNodes(line, 2, {
      newAddress,
      retryIntervalMs: 20,
      serve: () => ({
        tools: {
          say: async ({ n }, { closeStandaloneStream }, server) => {
            await server.notify('notifications/message', { level: 'info', data: Number(n) });
            closeStandaloneStream();
            await server.notify('notifications/message', { level: 'info', data: Number(n) + 1 });
            return 'said';
          },
        },
      }),
    });
    const [a] = nodes as [Node];
    let opened = 0;
    const client = await line.connect(a.url, {
      fetch: routed(nodes, (_, init) => {
        if (init?.method === 'GET') opened++;
        return init?.method === 'GET' ? 1 : 0;
      }),
    });
    let known = 0;
    for (let n = 1; n <= 9; n += 2) {
      // The stream that it has comes to be known as open elsewhere only when its GET was answered.
      await eventually(async () => {
        const { epoch, nodeId } = await recordOf(a.store, client.sessionId);
        if (nodeId === undefined || epoch <= known) return false;
        known = epoch;
        return true;
      });
      const before = opened;
      expect(await client.call('say', { n })).toBe('said');
      await eventually(() => opened === before + 1);
      await client.until(({ params }) => params['data'] === n + 1);
    }
    await pause(150);
    expect(opened).toBe(6);
    expect(client.received.map(({ params }) => params['data'])).toEqual(Array.from({ length: 10 }, (_, i) => i + 1));
    await client.close();
    expect(nodes.flatMap(({ errors }) => errors)).toEqual([]);
  });
});
