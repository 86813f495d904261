import { setTimeout as pause } from 'node:timers/promises';
import { describe, expect, it } from 'vitest';
import { addresses } from '../support/addresses.ts';
import { eventually, gate } from '../support/harness.ts';
import type { Json } from '../support/line.ts';
import { lines } from '../support/lines.ts';
import { type Node, startNodes } from '../support/nodes.ts';
import type { Frame, RawClient } from '../support/raw.ts';

const error = (id: number): Json => ({
  jsonrpc: '2.0',
  id,
  error: { code: -32_603, message: 'Request was interrupted' },
});

/** What the answers of a stream say, in their order. */
function answers(frames: readonly Frame[]): unknown[] {
  return frames.flatMap(({ data }) => {
    if (!data) return [];
    const { id, result, error: failure } = JSON.parse(data) as { id?: number; result?: Json; error?: Json };
    if (failure !== undefined) return [`${id} failed`];
    return result === undefined ? [] : [`${id} done`];
  });
}

const said = (frames: readonly Frame[]): number => frames.filter(({ data }) => data?.includes('"data"')).length;

async function resumed(client: RawClient, cursor: string | undefined): Promise<Frame[] | number> {
  const response = await client.get({ 'last-event-id': cursor });
  return response.status === 200 ? response.sse.rest() : response.status;
}

describe.each(
  lines.flatMap((line) => addresses.map(([backend, newAddress]) => ({ line, name: line.name, backend, newAddress }))),
)('the first answer to a request is its answer, SDK $name on $backend', { timeout: 30_000 }, ({ line, newAddress }) => {
  it('whether the node that counted as dead answers before the error or after it', async () => {
    for (const order of ['error first', 'answer first']) {
      const go = gate();
      const nodes = await startNodes(line, 2, {
        newAddress,
        serve: () => ({
          tools: {
            slow: async (_, { notify }) => {
              await notify('notifications/message', { level: 'info', data: 'begun' });
              await go.passed;
              await notify('notifications/message', { level: 'info', data: 'late' });
              return 'done';
            },
          },
        }),
      });
      const [a, b] = nodes as [Node, Node];
      const here = a.raw();
      const id = await here.begin();
      const elsewhere = b.raw(here.headers);
      const session = await b.store.get(id);
      const request = here.toolCall('slow');
      const call = await here.post(request);
      const priming = await call.sse.next();
      const begun = await call.sse.message();
      const streamId = session?.events.streamOf(begun.id) ?? '';
      const inLog = async (): Promise<number> => (await session?.events.recent(100, streamId))?.length ?? 0;
      // As another node does that takes this one for dead: twice, since there can be two of them.
      const fail = async (): Promise<void> => {
        for (let i = 0; i < 2; i++) await session?.events.append(streamId, error(request.id));
      };
      if (order === 'error first') await fail();
      const outcome = order === 'error first' ? `${request.id} failed` : `${request.id} done`;
      // One that polls while the node still runs it: from the beginning, and from the answer that
      // it has already.
      if (order === 'error first') {
        for (const client of [here, elsewhere]) {
          const frames = (await resumed(client, begun.id)) as Frame[];
          expect(answers(frames)).toEqual([outcome]);
          expect(await resumed(client, frames.at(-1)?.id)).toBe(204);
        }
      }
      go.open();
      await eventually(async () => (await inLog()) >= (order === 'error first' ? 6 : 4));
      if (order === 'answer first') await fail();
      // Where the client has resumed on the same node, this connection was closed for the other
      // one, perhaps before it got the answer.
      expect([outcome, ...answers(await call.sse.rest())].every((each) => each === outcome)).toBe(true);
      const late = order === 'error first' ? 0 : 1;
      for (const client of [here, elsewhere]) {
        const whole = (await resumed(client, priming?.id)) as Frame[];
        expect([answers(whole), said(whole)]).toEqual([[outcome], 1 + late]);
        const rest = (await resumed(client, begun.id)) as Frame[];
        expect([answers(rest), said(rest)]).toEqual([[outcome], late]);
        for (const event of (await session?.events.recent(3, streamId)) ?? []) {
          expect([order, await resumed(client, event.id)]).toEqual([order, 204]);
        }
      }
      expect([...a.errors, ...b.errors]).toEqual([]);
    }
  });

  it('in a batch, where each request is answered once and the stream ends with the last answer and not before', async () => {
    const [go, last] = [gate(), gate()];
    const nodes = await startNodes(line, 3, {
      newAddress,
      serve: () => ({
        tools: {
          quick: async () => {
            await go.passed;
            return 'done';
          },
          slow: async () => {
            await last.passed;
            return 'done';
          },
        },
      }),
    });
    const [a, b, c] = nodes as [Node, Node, Node];
    const here = a.raw();
    const id = await here.begin('2025-03-26');
    const elsewhere = b.raw(here.headers);
    const session = await b.store.get(id);
    const [quick, slow] = [here.toolCall('quick'), here.toolCall('slow')];
    const call = await here.post([quick, slow]);
    const [opened] = (await session?.events.recent(1)) ?? [];
    const streamId = opened?.streamId ?? '';
    // The first of the batch fails twice, and is answered as well.
    for (let i = 0; i < 2; i++) await session?.events.append(streamId, error(quick.id));
    const first = (await session?.events.recent(2, streamId)) ?? [];
    const following = [here, elsewhere].map(async (client, i) => resumed(client, i === 0 ? opened?.id : first[0]?.id));
    go.open();
    await eventually(async () => ((await session?.events.recent(100, streamId))?.length ?? 0) >= 4);
    const middle = (await session?.events.recent(1, streamId)) ?? [];
    const later = resumed(c.raw(here.headers), middle[0]?.id);
    last.open();
    const [whole, rest] = await Promise.all(following);
    const all = [`${quick.id} failed`, `${slow.id} done`];
    expect(answers(whole as Frame[])).toEqual(all);
    expect(answers(rest as Frame[])).toEqual([all[1]]);
    expect(answers((await later) as Frame[])).toEqual([all[1]]);
    await call.cancel();
    for (const client of [here, elsewhere]) {
      expect(answers((await resumed(client, opened?.id)) as Frame[])).toEqual(all);
      expect(answers((await resumed(client, first[0]?.id)) as Frame[])).toEqual([all[1]]);
      expect(answers((await resumed(client, middle[0]?.id)) as Frame[])).toEqual([all[1]]);
      expect(await resumed(client, (await session?.events.recent(1, streamId))?.[0]?.id)).toBe(204);
    }
    expect(nodes.flatMap(({ errors }) => errors)).toEqual([]);
  });

  it('rule 32: a node with a record has one more lease, in which its response still counts', async () => {
    // The response comes soon after the first lease, so a busy machine has most of the second one.
    const leaseMs = 2_000;
    const nodes = await startNodes(line, 2, { newAddress, leaseMs, serve: () => ({ tools: {} }) });
    const [a, b] = nodes as [Node, Node];
    const here = a.raw();
    const session = await a.store.get(await here.begin());
    const outcomes = ['done', 'failed'].map(async (outcome, index) => {
      // As a node leaves it whose event loop is blocked: its lease is over, and its record is
      // there.
      const nodeId = `0123456789abcde${index}`;
      const metadata = { leaseUntil: Date.now() - 1 };
      await a.store.create({ id: `node-${nodeId}`, kind: 'node', metadata });
      const streamId = `req-1-${nodeId}-1`;
      // Before the append: the lease counts from the time of its event, not from its return.
      const begun = performance.now();
      const opened = await session?.events.append(streamId, { opened: [1] });
      const got = Promise.all([a, b].map((node) => resumed(node.raw(here.headers), opened)));
      await pause(1.1 * leaseMs);
      if (outcome === 'done') await session?.events.append(streamId, { jsonrpc: '2.0', id: 1, result: {} });
      const frames = (await got) as Frame[][];
      expect(frames.map(answers)).toEqual([[`1 ${outcome}`], [`1 ${outcome}`]]);
      // The error comes after the lease of the request, or of the record, and not much later.
      if (outcome === 'failed') expect(performance.now() - begun).toBeGreaterThan(2 * leaseMs - 50);
    });
    await Promise.all(outcomes);
    expect(nodes.flatMap(({ errors }) => errors)).toEqual([]);
  });

  it("even if two nodes find a third dead at the same time, and if the requests' ids were trimmed", async () => {
    const nodes = await startNodes(line, 3, { newAddress, leaseMs: 300, serve: () => ({ tools: {} }) });
    const [a] = nodes as [Node];
    const here = a.raw();
    const id = await here.begin('2025-03-26');
    const clients = nodes.map((node) => node.raw(here.headers));
    const session = await a.store.get(id);
    for (const trimmed of [false, true]) {
      // As a node leaves it that dies.
      const streamId = `req-2-0123456789abcdef-${trimmed ? 2 : 1}`;
      const opened = await session?.events.append(streamId, { opened: [1, 2] });
      const begun = await session?.events.append(streamId, { jsonrpc: '2.0', method: 'notifications/message' });
      if (trimmed) await session?.events.trim({ through: opened ?? '' });
      const got = await Promise.all(clients.map((client) => resumed(client, begun)));
      for (const frames of got) {
        expect([trimmed, answers(frames as Frame[])]).toEqual([trimmed, trimmed ? [] : ['1 failed', '2 failed']]);
      }
      const again = await Promise.all(clients.map((client) => resumed(client, begun)));
      for (const frames of again) {
        expect([trimmed, answers(frames as Frame[])]).toEqual([trimmed, trimmed ? [] : ['1 failed', '2 failed']]);
      }
    }
    expect(nodes.flatMap(({ errors }) => errors)).toEqual([]);
  });
});
