import type { SessionBackend } from '@mcp-session/core/backend';
import { describe, expect, it } from 'vitest';
import { ALL, dataOf, startDegrading, WRITES } from '../support/degrading.ts';
import { eventually, gate } from '../support/harness.ts';
import { lines } from '../support/lines.ts';

describe.each(lines)('listening while the store fails, with onStoreError: degrade, SDK $name', (line) => {
  it('a standalone stream stays open and repeats and reorders nothing', async () => {
    const { client, say, fail, heal, statuses, untilStored } = await startDegrading(line);
    const { sse } = await client.get();
    await say(1);
    const first = await sse.message();
    fail(ALL);
    for (const data of [2, 3]) await say(data);
    const unstored = [await sse.message(), await sse.message()];
    expect(unstored.map(({ id, message }) => [id, dataOf(message)])).toEqual([
      ['', 2],
      ['', 3],
    ]);
    await new Promise((resolve) => setTimeout(resolve, 600));
    heal();
    await untilStored();
    await say(4);
    const fourth = await sse.message();
    expect(dataOf(fourth.message)).toBe(4);
    expect(fourth.id).not.toBe('');
    expect(statuses.map(({ failing }) => failing)).toEqual([true, false]);
    await sse.cancel();
    // What was never stored is not there for one who comes back.
    const resumed = await client.get({ 'last-event-id': first.id });
    expect(dataOf((await resumed.sse.message()).message)).toBe(4);
    await resumed.cancel();
  });

  it('a connection whose time is over stays open until its client can reconnect', async () => {
    const { client, say, fail, heal, untilStored } = await startDegrading(line, undefined, { maxStreamMs: 2_000 });
    const { sse } = await client.get();
    fail(ALL);
    await say(1);
    await new Promise((resolve) => setTimeout(resolve, 2_200));
    await say(2);
    expect([dataOf((await sse.message()).message), dataOf((await sse.message()).message)]).toEqual([1, 2]);
    heal();
    await untilStored();
    await sse.rest();
  });

  it('a connection whose log cannot be read for a while continues where it was', async () => {
    const { client, say, fail, heal, errors } = await startDegrading(line);
    const { sse } = await client.get();
    fail(ALL.filter((name) => name.startsWith('read')));
    await say(1);
    await eventually(() => errors.length === 1);
    await say(2);
    heal();
    for (const data of [1, 2]) {
      const { id, message } = await sse.message();
      expect([id === '', dataOf(message)]).toEqual([false, data]);
    }
    await sse.cancel();
  });

  it('nothing that could not be restored is dropped: no idle session, and no stream that a handler closes for polling', async () => {
    const outage = gate();
    const { raw, client, handler, fail, heal, servers, say, untilStored } = await startDegrading(
      line,
      {
        echo: () => 'x',
        wait: () => outage.passed.then(() => 'x'),
        poll: (_, { closeStandaloneStream }) => {
          closeStandaloneStream();
          return 'x';
        },
      },
      { localIdleMs: 300 },
    );
    const listener = raw();
    await listener.begin();
    const { sse } = await listener.get();
    const listening = servers.at(-1);
    // A session with a call is not idle, so it is there when the store fails.
    const call = await client.callTool('wait');
    fail(ALL);
    expect((await listener.callTool('poll')).status).toBe(200);
    outage.open();
    await call.sse.rest();
    await new Promise((resolve) => setTimeout(resolve, 700));
    await say(1, listening);
    expect(dataOf((await sse.message()).message)).toBe(1);
    expect((await client.callTool('echo')).status).toBe(200);
    heal();
    await untilStored();
    // Whether the store can be read as well is known when it is read again.
    await eventually(async () => (await listener.callTool('echo')).status === 200 && handler.localSessions === 1);
    await sse.cancel();
  });

  it('a store that does not answer delays no client that opens a stream, and none that answers another node', async () => {
    const { client, fail, heal, hold, calls } = await startDegrading(line, undefined, { holdMs: 0 });
    fail(WRITES);
    expect((await client.callTool('echo')).status).toBe(200);
    heal();
    const release = hold(WRITES);
    await new Promise((resolve) => setTimeout(resolve, 600));
    calls();
    const asking = client.callTool('echo');
    await eventually(() => calls().some((name) => WRITES.includes(name as keyof SessionBackend)));
    const cancelled = { jsonrpc: '2.0', method: 'notifications/cancelled', params: { requestId: 'of another node' } };
    expect((await client.get()).status).toBe(503);
    expect((await client.post(cancelled)).status).toBe(503);
    release();
    expect((await asking).status).toBe(200);
  });
});
