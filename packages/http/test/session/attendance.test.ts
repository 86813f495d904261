import { createMemoryStore } from '@mcp-session/core/memory';
import { setTimeout as pause } from 'node:timers/promises';
import { describe, expect, it, onTestFinished } from 'vitest';
import { Attendance } from '../../src/lib/session/attendance.ts';
import { OpenRequests } from '../../src/lib/session/open-requests.ts';
import { addresses } from '../support/addresses.ts';
import { eventually, gate, start } from '../support/harness.ts';
import type { Tool } from '../support/line.ts';
import { lines } from '../support/lines.ts';
import { type Node, startNodes } from '../support/nodes.ts';

/** Runs until it is aborted or let go, and says which. */
function waiting(): { readonly tool: Tool; readonly go: () => void; readonly aborted: () => boolean } {
  const { passed, open } = gate();
  let isAborted = false;
  return {
    tool: async (_, { signal }) => {
      signal.addEventListener('abort', () => (isAborted = true));
      await passed;
      return 'done';
    },
    go: () => open(),
    aborted: () => isAborted,
  };
}

// It takes seconds: each line and each backend once.
describe.each(
  addresses.flatMap(([backend, newAddress], index) => {
    const line = lines[index % lines.length];
    return line === undefined ? [] : [{ line, name: line.name, backend, newAddress }];
  }),
)('abandonAfterMs, SDK $name on $backend', { timeout: 30_000 }, ({ line, newAddress }) => {
  it('rule 31: a request is abandoned when its client is on no node, and one that is on another node is not gone', async () => {
    const { tool, go, aborted } = waiting();
    const nodes = await startNodes(line, 2, { newAddress, abandonAfterMs: 800, serve: () => ({ tools: { tool } }) });
    const [a, b] = nodes as [Node, Node];
    const client = a.raw();
    await client.begin();
    const call = await client.callTool('tool');
    const cursor = (await call.sse.next())?.id;
    const resumed = await b.raw(client.headers).get({ 'last-event-id': cursor });
    await call.cancel();
    await pause(1_600);
    expect(aborted()).toBe(false);
    await resumed.cancel();
    await eventually(aborted);
    for (const node of nodes) {
      const frames = await (await node.raw(client.headers).get({ 'last-event-id': cursor })).sse.rest();
      const answers = frames.filter(({ data }) => data).map(({ data }) => JSON.parse(data ?? '') as unknown);
      expect(answers).toMatchObject([{ error: { message: 'Request was abandoned: Client was away for 800 ms' } }]);
      expect((await node.raw(client.headers).get({ 'last-event-id': frames.at(-1)?.id })).status).toBe(204);
    }
    go();
    expect(nodes.flatMap(({ errors }) => errors)).toEqual([]);
  });
});

describe.each(lines)('a client that is away, SDK $name', (line) => {
  it('rule 20: cancels nothing by default', async () => {
    const { tool, go, aborted } = waiting();
    const { raw } = await start(line, { tools: { tool } });
    const client = raw();
    await client.begin();
    const call = await client.callTool('tool');
    const cursor = (await call.sse.next())?.id;
    await call.cancel();
    await pause(200);
    expect(aborted()).toBe(false);
    go();
    expect((await (await client.get({ 'last-event-id': cursor })).sse.rest()).at(-1)?.data).toContain('done');
  });
});

describe('whose client is away', () => {
  /** One stream with one request. */
  async function attendance() {
    const store = await createMemoryStore();
    onTestFinished(() => store.close());
    const session = await store.create();
    const open = new OpenRequests();
    const appended: unknown[] = [];
    const settled: unknown[] = [];
    const cancelled: unknown[] = [];
    const errors: unknown[] = [];
    const state = { now: 0, isConnected: true, failing: false, appendFails: false };
    const stream = {
      streamId: 'req',
      sinceSeq: 0,
      append: async (message: unknown): Promise<void> => {
        if (state.appendFails) throw new Error('not now');
        appended.push(message);
      },
      settleLater: (message: unknown) => void settled.push(message),
    };
    open.add({
      request: { jsonrpc: '2.0', id: 1, method: 'tools/call' },
      stream,
      answer: () => undefined,
      answered: false,
    });
    const attended = new Attendance({
      session,
      transport: {
        open,
        cancel: (_, id) => {
          cancelled.push(id);
          open.delete(id);
          return stream;
        },
      },
      abandonAfterMs: 1_000,
      isConnected: () => state.isConnected,
      health: {
        get failing() {
          return state.failing;
        },
      },
      onAppended: () => undefined,
      onError: (error) => void errors.push(error),
      now: () => state.now,
    });
    attended.begin('req');
    const at = async (now: number): Promise<number> => {
      // As the timer does.
      for (; state.now < now; state.now += 250) attended.look();
      attended.look();
      await pause(0);
      return cancelled.length;
    };
    return { attended, state, at, appended, settled, errors };
  }

  it('is abandoned after this time without a connection, and not before', async () => {
    const { attended, state, at, appended } = await attendance();
    expect(await at(10_000)).toBe(0);
    state.isConnected = false;
    attended.left('req');
    expect(await at(10_750)).toBe(0);
    expect(await at(11_000)).toBe(1);
    expect(await at(20_000)).toBe(1);
    expect(appended).toHaveLength(1);
  });

  it('is not gone while it polls, here or on another node', async () => {
    const { attended, state, at } = await attendance();
    state.isConnected = false;
    for (let now = 750; now < 10_000; now += 750) {
      expect(await at(now)).toBe(0);
      if (now % 1_500 === 0) attended.left('req');
      else attended.reported('req');
    }
    expect(await at(12_000)).toBe(1);
  });

  it('is not abandoned while nobody can know: the store fails, or this process was blocked', async () => {
    const { attended, state, at } = await attendance();
    state.isConnected = false;
    state.failing = true;
    expect(await at(10_000)).toBe(0);
    state.failing = false;
    state.now = 20_000;
    attended.look();
    expect(await at(20_750)).toBe(0);
    expect(await at(21_000)).toBe(1);
  });

  it('is settled later if the store fails at this moment', async () => {
    const { state, at, settled, errors } = await attendance();
    state.isConnected = false;
    state.appendFails = true;
    expect(await at(1_000)).toBe(1);
    expect([settled.length, errors.map(String)]).toEqual([1, ['Error: not now']]);
  });
});
