import { describe, expect, it, onTestFinished, vi } from 'vitest';
import { ALL, dataOf, startDegrading, WRITES } from '../support/degrading.ts';
import { eventually, gate } from '../support/harness.ts';
import type { Json } from '../support/line.ts';
import { lines } from '../support/lines.ts';
import { initialize } from '../support/raw.ts';

describe.each(lines)('a store that fails, with onStoreError: degrade, SDK $name', (line) => {
  it.each([ALL, WRITES])(
    'a local session is served without event ids, and with them once the store works again',
    async (...methods) => {
      const { client, fail, heal, statuses, errors, untilStored } = await startDegrading(line);
      fail(methods);
      for (let round = 0; round < 3; round++) {
        const response = await client.callTool('echo');
        expect(response.status).toBe(200);
        expect(await response.sse.rest()).toEqual([{ data: expect.stringContaining('"x"') }]);
      }
      expect(statuses).toMatchObject([{ failing: true, error: { code: 'STORE_UNAVAILABLE' } }]);
      expect(errors).toMatchObject([{ code: 'STORE_UNAVAILABLE' }]);
      heal();
      await untilStored();
      expect((await (await client.callTool('echo')).sse.rest())[0]).toMatchObject({ id: expect.any(String) });
      expect(statuses.slice(1)).toEqual([{ failing: false, error: undefined }]);
      expect(errors).toHaveLength(1);
    },
  );

  it('a client that reads JSON only gets its answers too, of short calls and of long ones', async () => {
    const wait = async (): Promise<string> => {
      await new Promise((resolve) => setTimeout(resolve, 40));
      return 'waited';
    };
    const { client, fail } = await startDegrading(line, { echo: () => 'x', wait });
    fail(ALL);
    for (const [tool, text] of [
      ['echo', 'x'],
      ['wait', 'waited'],
    ] as const) {
      const response = await client.post(client.toolCall(tool), { accept: 'application/json' });
      expect(await response.json()).toMatchObject({ result: { content: [{ text }] } });
    }
  });

  it('other sessions, new and ended ones, and streams from the log get 503', async () => {
    const principal = (auth?: { readonly token: string }): string | null => auth?.token ?? null;
    const { client, raw, fail, heal, another, errors } = await startDegrading(line, undefined, {
      principal,
      holdMs: 0,
    });
    fail(ALL);
    for (const response of [
      await raw().post(initialize()),
      await raw({ ...client.headers, 'mcp-session-id': 'unknown' }).callTool('echo'),
      await client.get(),
      await client.get({ 'last-event-id': '1.aaaaaaaa._GET_stream' }),
      await client.delete(),
    ]) {
      expect([response.status, response.headers.get('retry-after')]).toEqual([503, '2']);
    }
    expect((await client.callTool('echo')).status).toBe(200);
    another();
    expect((await client.callTool('echo')).status).toBe(503);
    heal();
    await eventually(async () => (await client.callTool('echo')).status === 200);
    expect((await client.delete()).status).toBe(204);
    // One of each handler.
    expect(errors).toHaveLength(2);
  });

  it("another principal's session stays unreachable", async () => {
    const { handler, fail, client } = await startDegrading(line, undefined, {
      principal: (auth?: { readonly token: string }) => auth?.token ?? null,
    });
    const auth = (token: string) => ({ authInfo: { token, clientId: 'c', scopes: [] } });
    const headers = { 'content-type': 'application/json', accept: 'application/json, text/event-stream' };
    const request = (body: unknown, more: Record<string, string> = {}): Request =>
      new Request(client.url, { method: 'POST', headers: { ...headers, ...more }, body: JSON.stringify(body) });
    const begun = await handler.fetch(request(initialize()), auth('ada'));
    const own = { 'mcp-session-id': begun.headers.get('mcp-session-id') ?? '' };
    fail(ALL);
    const call = client.toolCall('echo');
    expect((await handler.fetch(request(call, own), auth('eve'))).status).toBe(503);
    expect((await handler.fetch(request(call, own))).status).toBe(503);
    expect((await handler.fetch(request(call, own), auth('ada'))).status).toBe(200);
  });

  it('a session that has expired as far as this node knows is not served', async () => {
    const ttlMs = 3_600_000;
    const { client, fail, heal } = await startDegrading(line, undefined, { store: { ttlMs, clock: () => Date.now() } });
    fail(ALL);
    expect((await client.callTool('echo')).status).toBe(200);
    const later = vi.spyOn(Date, 'now').mockReturnValue(Date.now() + ttlMs);
    onTestFinished(() => later.mockRestore());
    expect((await client.callTool('echo')).status).toBe(503);
    heal();
    await eventually(async () => (await client.callTool('echo')).status === 404);
  });

  it('a call that began before is answered; a client that resumes it later gets one error', async () => {
    for (const connected of [true, false]) {
      const [begun, go] = [gate(), gate()];
      const { client, fail, heal, untilStored } = await startDegrading(line, {
        echo: () => 'x',
        wait: async (_, { notify }) => {
          await notify('notifications/message', { level: 'info', data: 1 });
          begun.open();
          await go.passed;
          await notify('notifications/message', { level: 'info', data: 2 }).catch(() => undefined);
          return 'waited';
        },
      });
      const call = await client.callTool('wait');
      const cursor = (await call.sse.next())?.id ?? '';
      expect(dataOf((await call.sse.message()).message)).toBe(1);
      await begun.passed;
      fail(ALL);
      if (!connected) {
        await call.cancel();
        await new Promise((resolve) => setTimeout(resolve, 50));
      }
      go.open();
      if (connected) {
        const rest = (await call.sse.rest()).filter(({ data }) => data);
        expect(rest.map(({ id, data }) => [id, dataOf(JSON.parse(data ?? '') as Json)])).toEqual([
          [undefined, 2],
          [undefined, 'answer'],
        ]);
      } else await new Promise((resolve) => setTimeout(resolve, 100));
      heal();
      await untilStored();
      const resumed = await client.get({ 'last-event-id': cursor });
      const again = (await resumed.sse.rest())
        .filter(({ data }) => data)
        .map(({ data }) => JSON.parse(data ?? '') as Json);
      expect(again).toMatchObject([{ params: { data: 1 } }, { error: { code: -32_603 } }]);
    }
  });

  it('a call that begins without the store continues without it, in order, on its connection', async () => {
    const go = gate();
    const { client, fail, heal } = await startDegrading(line, {
      long: async (_, { notify, closeStream }) => {
        for (const data of [1, 2]) void notify('notifications/message', { level: 'info', data });
        closeStream();
        await go.passed;
        closeStream();
        await notify('notifications/message', { level: 'info', data: 3 });
        return 'x';
      },
    });
    fail(WRITES);
    const { sse } = await client.callTool('long');
    expect(await sse.next()).toEqual({ data: expect.stringContaining('1') });
    heal();
    await new Promise((resolve) => setTimeout(resolve, 600));
    go.open();
    expect((await sse.rest()).map(({ id, data }) => [id, dataOf(JSON.parse(data ?? '{}') as Json)])).toEqual([
      [undefined, 2],
      [undefined, 3],
      [undefined, 'answer'],
    ]);
  });

  it('a setting that must be stored is refused', async () => {
    const { client, fail } = await startDegrading(line);
    fail(WRITES);
    const set = { jsonrpc: '2.0', id: 'level', method: 'logging/setLevel', params: { level: 'error' } };
    const frames = await (await client.post(set)).sse.rest();
    expect(frames).toEqual([{ data: expect.stringContaining('Answer could not be stored') }]);
  });

  it('a closed store is no outage: nothing is served without it', async () => {
    const { client, store, statuses } = await startDegrading(line);
    await store.close();
    expect((await client.callTool('echo')).status).toBe(503);
    expect(statuses).toEqual([]);
  });

  it('a store that does not answer delays one request at a time', async () => {
    const { client, fail, hold, calls } = await startDegrading(line);
    fail(ALL);
    expect((await client.callTool('echo')).status).toBe(200);
    const release = hold(ALL);
    await new Promise((resolve) => setTimeout(resolve, 600));
    calls();
    const asking = client.callTool('echo');
    await eventually(() => calls().includes('readSession'));
    for (let round = 0; round < 5; round++) expect((await client.callTool('echo')).status).toBe(200);
    release();
    expect((await asking).status).toBe(200);
  });

  it('every message from before the response began is sent', async () => {
    const { client, fail } = await startDegrading(line, {
      flood: (_, { notify }) => {
        const data = 'x'.repeat(20_000);
        for (let n = 0; n < 20; n++) void notify('notifications/message', { level: 'info', data });
        return 'x';
      },
    });
    fail(WRITES);
    const frames = await (await client.callTool('flood')).sse.rest();
    expect(frames).toHaveLength(21);
    expect(frames.at(-1)?.data).toContain('result');
  });

  it('a message that could not be stored is sent, even if its stream was stored', async () => {
    const { client, fail } = await startDegrading(line, undefined, { facts: { maxBatchEvents: 1 } });
    fail(['appendEvents'], 1, {}, 1);
    const frames = await (await client.callTool('echo')).sse.rest();
    expect(frames.map(({ id, data }) => [id !== undefined, data?.includes('"x"')])).toEqual([
      [true, false],
      [false, undefined],
      [false, true],
    ]);
  });

  it('a client that does not read gets a bounded amount', async () => {
    const flood = gate<number>();
    const { client, fail } = await startDegrading(line, {
      flood: async (_, { notify }) => {
        let refused = 0;
        const data = 'x'.repeat(20_000);
        for (let n = 0; n < 500; n++) {
          await notify('notifications/message', { level: 'info', data }).catch(() => refused++);
        }
        flood.open(refused);
        return 'x';
      },
    });
    fail(ALL);
    const response = await client.callTool('flood');
    expect(await flood.passed).toBeGreaterThan(100);
    // The answer is not among what is left out.
    expect((await response.sse.rest()).at(-1)?.data).toContain('result');
  });
});
