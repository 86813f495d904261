import { createSessionStore, type SessionBackend } from '@mcp-session/core/backend';
import { setTimeout as pause } from 'node:timers/promises';
import { describe, expect, it } from 'vitest';
import { failingBackend } from '../support/failing-backend.ts';
import { eventually, gate, type Harness, start } from '../support/harness.ts';
import type { Line, TestOptions } from '../support/line.ts';
import { lines } from '../support/lines.ts';
import type { RawClient } from '../support/raw.ts';

const READS: readonly (keyof SessionBackend)[] = ['readSession', 'readEvents', 'readHeads'];

async function startFailing(line: Line, options: Partial<TestOptions> = {}) {
  const { backend, ...switches } = failingBackend();
  const go = gate();
  const tools = {
    wait: async () => {
      await go.passed;
      return 'waited';
    },
  };
  const harness: Harness = await start(line, { store: await createSessionStore(backend), tools, ...options });
  const client: RawClient = harness.raw();
  await client.begin();
  return { ...harness, ...switches, client, go };
}

/** Whether a promise is open after a moment. */
async function waits(promise: Promise<unknown>): Promise<boolean> {
  return (await Promise.race([promise.then(() => 'settled'), pause(300).then(() => 'open')])) === 'open';
}

describe.each(lines)('rule 26: a GET is held, SDK $name', (line) => {
  it.each(['fail', 'degrade'] as const)(
    'while the store is away, and then gets its stream; onError gets the error once: %s',
    async (onStoreError) => {
      const { client, fail, heal, errors, go } = await startFailing(line, { onStoreError });
      const call = await client.callTool('wait');
      const cursor = (await call.sse.next())?.id ?? '';
      await call.cancel();
      fail(READS);
      const gets = [client.get(), client.get({ 'last-event-id': cursor })];
      // Each of them reports once, and an outage that degrades is reported once for all.
      await eventually(() => errors.length >= (onStoreError === 'fail' ? 2 : 1));
      expect(await waits(Promise.race(gets))).toBe(true);
      const reported = errors.length;
      await pause(500);
      // However often it was tried meanwhile.
      expect(errors).toHaveLength(reported);
      heal();
      const [listening, resumed] = await Promise.all(gets);
      expect([listening?.status, resumed?.status]).toEqual([200, 200]);
      go.open();
      expect((await resumed?.sse.rest())?.at(-1)?.data).toContain('waited');
      await listening?.cancel();
    },
  );

  it('at the bound of open streams too: it does not take its own place', async () => {
    const { client, fail, heal, errors } = await startFailing(line, { maxOpenStreams: 1 });
    fail(READS);
    const held = client.get();
    await eventually(() => errors.length === 1);
    expect(await waits(held)).toBe(true);
    heal();
    const listening = await held;
    expect([listening.status, errors.length]).toEqual([200, 1]);
    // It counts once.
    expect((await client.get()).status).toBe(503);
    await listening.cancel();
  });

  it('for holdMs at most; then it gets a stream that ends with its cursor and retry', async () => {
    const { client, fail } = await startFailing(line, { holdMs: 50, restartRetryMs: 0 });
    fail(READS);
    const without = await client.get();
    expect(without.status).toBe(200);
    expect(await without.sse.rest()).toEqual([{ retry: 0 }]);
    const resumed = await client.get({ 'last-event-id': '1.a.b' });
    expect(await resumed.sse.rest()).toEqual([{ id: '1.a.b', data: '' }, { retry: 0 }]);
    const older = await client.get({ 'last-event-id': '1.a.b', 'mcp-protocol-version': '2025-06-18' });
    expect(await older.sse.rest()).toEqual([{ id: '1.a.b' }, { retry: 0 }]);
  });

  it('while a handler drains it gets such a stream at once', async () => {
    const { client, handler, go } = await startFailing(line, { restartRetryMs: 0 });
    const call = await client.callTool('wait');
    const cursor = (await call.sse.next())?.id ?? '';
    const closed = handler.close({ drainMs: 5_000 });
    const resumed = await client.get({ 'last-event-id': cursor });
    expect(await resumed.sse.rest()).toEqual([{ id: cursor, data: '' }, { retry: 0 }]);
    go.open();
    await closed;
    const afterwards = await client.get();
    expect([afterwards.status, await afterwards.sse.rest()]).toEqual([200, [{ retry: 0 }]]);
  });

  it('but not for what does not pass: an unknown session, a failing store of which nothing is to be expected', async () => {
    const { client, raw, fail } = await startFailing(line, { holdMs: 0 });
    expect((await raw({ 'mcp-session-id': 'unknown' }).get()).status).toBe(404);
    expect((await raw().get()).status).toBe(400);
    fail(READS);
    expect((await client.get()).status).toBe(503);
  });

  it('and lets go when its client disconnects', async () => {
    const { client, url, fail, handler } = await startFailing(line, { maxOpenStreams: 1 });
    fail(READS);
    const abort = new AbortController();
    const held = handler.fetch(
      new Request(url, { headers: { ...client.headers, accept: 'text/event-stream' }, signal: abort.signal }),
    );
    expect(await waits(held)).toBe(true);
    // It counts as an open stream.
    expect((await client.get()).status).toBe(503);
    abort.abort();
    expect(await (await held).text()).toMatch(/^retry: \d+\n\n$/);
  });
});
