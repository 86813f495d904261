import { describe, expect, it } from 'vitest';
import { eventually, gate, start } from '../support/harness.ts';
import type { Tool } from '../support/line.ts';
import { lines } from '../support/lines.ts';

/** A tool that runs until it is aborted, and says when it begins and ends. */
function endless(): { readonly tool: Tool; readonly begun: Promise<void>; readonly aborted: Promise<void> } {
  const [begun, aborted] = [gate(), gate()];
  const tool: Tool = async (_, { signal }) => {
    const abort = new Promise<void>((resolve) => signal.addEventListener('abort', () => resolve()));
    begun.open();
    await abort;
    aborted.open();
    return 'too late';
  };
  return { tool, begun: begun.passed, aborted: aborted.passed };
}

describe.each(lines)('life of a session, SDK $name', (line) => {
  it('DELETE aborts running handlers and closes every stream', async () => {
    const { tool, begun, aborted } = endless();
    const { raw, handler } = await start(line, { tools: { endless: tool } });
    const client = raw();
    await client.begin();
    const [listening, call] = [await client.get(), await client.callTool('endless')];
    await begun;
    expect((await client.delete()).status).toBe(204);
    await aborted;
    expect((await call.sse.rest()).filter(({ data }) => data)).toEqual([]);
    await listening.sse.rest();
    expect(handler.localSessions).toBe(0);
  });

  it('rule 4: session.end() and expiry abort running handlers and close every stream, even without a client', async () => {
    for (const how of ['end', 'expiry'] as const) {
      let now = 1_000_000;
      const { tool, begun, aborted } = endless();
      const { raw, store, handler } = await start(line, {
        tools: { endless: tool },
        memory: { clock: () => now, ttlMs: 60_000 },
      });
      const client = raw();
      const id = await client.begin();
      const call = await client.callTool('endless');
      await begun;
      await call.cancel();
      const listening = how === 'end' ? await client.get() : undefined;
      if (how === 'end') await (await store.get(id))?.end();
      else now += 60_000;
      await aborted;
      await listening?.sse.rest();
      await eventually(() => handler.localSessions === 0);
      expect((await client.callTool('endless')).status).toBe(404);
    }
  });

  it('beyond the bound, the sessions used longest ago are evicted, except busy ones; each is restored on its next request', async () => {
    const go = gate();
    const tools: Record<string, Tool> = {
      echo: () => 'x',
      wait: async () => {
        await go.passed;
        return 'waited';
      },
    };
    const { raw, handler } = await start(line, { tools, maxLocalSessions: 3 });
    const [atWork, listening] = [raw(), raw()];
    await atWork.begin();
    const call = await atWork.callTool('wait');
    await listening.begin();
    const stream = await listening.get();
    const others = Array.from({ length: 20 }, () => raw());
    for (const other of others) {
      await other.begin();
      expect(handler.localSessions).toBeLessThanOrEqual(3);
    }
    for (const other of others) expect((await (await other.callTool('echo')).sse.rest()).at(-1)?.data).toContain('"x"');
    expect(handler.localSessions).toBe(3);
    go.open();
    expect((await call.sse.rest()).at(-1)?.data).toContain('waited');
    await stream.cancel();
  });

  it('an idle session is evicted after a while, and its server is closed', async () => {
    const { raw, handler } = await start(line, { tools: { echo: () => 'x' }, localIdleMs: 30 });
    const client = raw();
    await client.begin();
    const { sse } = await client.get();
    await new Promise((resolve) => setTimeout(resolve, 100));
    expect(handler.localSessions).toBe(1);
    await sse.cancel();
    await eventually(() => handler.localSessions === 0);
    expect((await (await client.callTool('echo')).sse.rest()).at(-1)?.data).toContain('"x"');
  });

  it('rule 18: close() ends every stream with retry, answers the requests that it aborts, and leaves the sessions in the store', async () => {
    const { tool, begun, aborted } = endless();
    const { raw, store, handler, another } = await start(line, { tools: { endless: tool }, restartRetryMs: 400 });
    const client = raw();
    const id = await client.begin();
    const [listening, call] = [await client.get(), await client.callTool('endless')];
    const cursor = (await call.sse.next())?.id ?? '';
    await begun;
    await handler.close();
    await handler.close();
    await aborted;
    const retry = (await listening.sse.rest()).at(-1)?.retry ?? 0;
    expect(Math.abs(retry - 400)).toBeLessThanOrEqual(100);
    await call.sse.rest();
    const refused = await client.callTool('endless');
    expect([refused.status, refused.headers.get('retry-after')]).toEqual([503, '1']);
    expect(await store.get(id)).toBeDefined();
    another();
    const resumed = await client.get({ 'last-event-id': cursor });
    expect((await resumed.sse.message()).message).toMatchObject({
      error: { message: expect.stringContaining('stopped') },
    });
    expect(await resumed.sse.next()).toBeUndefined();
  });

  it('a request whose node died gets one error when the lease expires, and the session goes on', async () => {
    const { tool, begun } = endless();
    // The first node would renew its lease after 20 s at the earliest: for the second one it is
    // dead before.
    const { raw, another } = await start(line, { tools: { endless: tool, echo: () => 'x' }, leaseMs: 60_000 });
    const client = raw();
    await client.begin();
    const request = client.toolCall('endless');
    const call = await client.post(request);
    const cursor = (await call.sse.next())?.id ?? '';
    await begun;
    await call.cancel();
    another({ leaseMs: 200 });
    const resumed = await client.get({ 'last-event-id': cursor });
    expect((await client.callTool('echo')).status).toBe(200);
    expect((await resumed.sse.message()).message).toMatchObject({
      id: request.id,
      error: { message: expect.stringContaining('interrupted') },
    });
    expect(await resumed.sse.next()).toBeUndefined();
    const again = await client.get({ 'last-event-id': cursor });
    expect((await again.sse.rest()).filter(({ data }) => data)).toHaveLength(1);
  });

  it('a request whose node is alive is not given up, however long it takes and wherever its client listens', async () => {
    const [begun, go] = [gate(), gate()];
    const wait: Tool = async () => {
      begun.open();
      await go.passed;
      return 'waited';
    };
    const { raw, another } = await start(line, { tools: { wait }, leaseMs: 1_000 });
    const client = raw();
    await client.begin();
    const call = await client.callTool('wait');
    const cursor = (await call.sse.next())?.id ?? '';
    await begun.passed;
    await call.cancel();
    another();
    const resumed = await client.get({ 'last-event-id': cursor });
    // Several leases: without their renewal the other node would have called the first one dead.
    await new Promise((resolve) => setTimeout(resolve, 2_500));
    go.open();
    expect((await resumed.sse.rest()).filter(({ data }) => data).map(({ data }) => data)).toEqual([
      expect.stringContaining('waited'),
    ]);
  });
});
