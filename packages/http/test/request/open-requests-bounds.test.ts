import { createSessionStore } from '@mcp-session/core/backend';
import { describe, expect, it } from 'vitest';
import { failingBackend } from '../support/failing-backend.ts';
import { eventually } from '../support/harness.ts';
import { lines } from '../support/lines.ts';
import { initialize, type RawClient } from '../support/raw.ts';
import { Seen } from '../support/seen.ts';
import { bearer, PROCESS_IS_FULL, refusalOf, startWaiting, USER_HAS_TWO } from '../support/waiting.ts';

describe.each(lines)('how many requests are answered at once, SDK $name', (line) => {
  it("one principal's calls leave the streams of others alone", async () => {
    const { begin, begun } = await startWaiting(line, { maxOpenStreams: 1, maxOpenStreamsPerPrincipal: 1 });
    const mallory = await begin(bearer('mallory'));
    for (let n = 0; n < 3; n++) expect((await mallory.callTool('wait')).status).toBe(200);
    await eventually(() => begun() === 3);
    const alice = await begin(bearer('alice'));
    const listening = await alice.get();
    expect(listening.status).toBe(200);
    expect((await mallory.get()).status).toBe(503);
    await listening.cancel();
  });

  it('GETs that come at once open no more streams than the bound, for one principal and for the process', async () => {
    const { backend, hold, calls } = failingBackend();
    const store = await createSessionStore(backend);
    const { begin } = await startWaiting(line, { store, maxOpenStreams: 3, maxOpenStreamsPerPrincipal: 2 });
    /** All of them are checked before the first one is open. */
    const statusesAtOnce = async (headers?: Record<string, string>): Promise<number[]> => {
      const clients = await Promise.all(Array.from({ length: 4 }, () => begin(headers)));
      calls();
      let waiting = 0;
      const release = hold(['updateSession']);
      const answers = clients.map((client) => client.get());
      await eventually(() => {
        waiting += calls().filter((name) => name === 'updateSession').length;
        return waiting === clients.length;
      });
      release();
      return (await Promise.all(answers)).map(({ status }) => status).toSorted((a, b) => a - b);
    };
    expect(await statusesAtOnce(bearer('alice'))).toEqual([200, 200, 429, 429]);
    expect(await statusesAtOnce()).toEqual([200, 503, 503, 503]);
  });

  it('one of a principal too many is a 429 with Retry-After, in whichever session; of nobody there is no such limit', async () => {
    const seen = new Seen();
    const { raw, begin, begun, open } = await startWaiting(line, {
      maxOpenRequestsPerPrincipal: 2,
      observe: seen.observe,
    });
    const [one, two, bob] = [await begin(bearer('alice')), await begin(bearer('alice')), await begin(bearer('bob'))];
    const calls = [await one.callTool('wait'), await two.callTool('wait')];
    for (const client of [one, two, raw(bearer('alice'))]) {
      expect(await refusalOf(await client.callTool('wait'))).toEqual(USER_HAS_TWO);
    }
    expect(await refusalOf(await raw(bearer('alice')).post(initialize()))).toEqual(USER_HAS_TWO);
    expect(seen.of('refused').map(({ status, reason }) => `${status} ${reason}`)).toEqual(
      Array(4).fill('429 too-many-requests'),
    );
    // What is no request is taken.
    expect((await one.post({ jsonrpc: '2.0', method: 'notifications/roots/list_changed' })).status).toBe(202);
    expect((await one.post({ jsonrpc: '2.0', id: 'unknown', result: {} })).status).toBe(202);
    const nobody = await begin();
    for (const client of [bob, bob, nobody, nobody, nobody]) calls.push(await client.callTool('wait'));
    await eventually(() => begun() === 7);
    open();
    for (const call of calls) expect(JSON.stringify(await call.sse.rest())).toContain('done');
    expect((await one.callTool('echo')).status).toBe(200);
  });

  it('one of the process too many is a 503 with Retry-After, and GETs go on', async () => {
    const seen = new Seen();
    const { raw, begin, open } = await startWaiting(line, { maxOpenRequestsPerProcess: 3, observe: seen.observe });
    const clients = [await begin(bearer('alice')), await begin(bearer('bob')), await begin()];
    const calls = await Promise.all(clients.map((client) => client.callTool('wait')));
    for (const client of [...clients, raw()]) {
      expect(await refusalOf(await client.callTool('echo'))).toEqual(PROCESS_IS_FULL);
    }
    expect(await refusalOf(await raw().post(initialize()))).toEqual(PROCESS_IS_FULL);
    expect(seen.of('refused').map(({ status, reason }) => `${status} ${reason}`)).toEqual(
      Array(5).fill('503 too-many-requests'),
    );
    const listening = await clients[0]?.get();
    expect(listening?.status).toBe(200);
    await listening?.cancel();
    open();
    for (const call of calls) expect(JSON.stringify(await call.sse.rest())).toContain('done');
    for (const client of clients) expect((await client.callTool('echo')).status).toBe(200);
  });

  it('a call counts until it is answered, though its client has left', async () => {
    const { begin, open } = await startWaiting(line, { maxOpenRequestsPerProcess: 1 });
    const client = await begin();
    await (await client.callTool('wait')).cancel();
    expect((await client.callTool('echo')).status).toBe(503);
    open();
    await eventually(async () => (await client.callTool('echo')).status === 200);
  });

  it.each([
    ['cancelled', (client: RawClient) => client.post(cancellation('w'))],
    ['of a session that ends', (client: RawClient) => client.delete()],
  ])('a call that is %s does not count any more', async (_, end) => {
    const { raw, begin, begun } = await startWaiting(line, {
      maxOpenRequestsPerProcess: 2,
      maxOpenRequestsPerPrincipal: 2,
    });
    const other = raw(bearer('alice'));
    await other.begin('2025-03-26');
    for (let n = 1; n <= 3; n++) {
      const client = await begin(bearer('alice'));
      await client.post({ ...client.toolCall('wait'), id: 'w' });
      await eventually(() => begun() === n);
      expect([200, 202, 204]).toContain((await end(client)).status);
    }
    expect((await other.post([other.toolCall('echo'), other.toolCall('echo')])).status).toBe(200);
  });

  it('a batch counts as its requests, and is refused as a whole', async () => {
    const { raw, open } = await startWaiting(line, { maxOpenRequestsPerPrincipal: 2 });
    const client = raw(bearer('alice'));
    const stateless = raw({ ...bearer('alice'), 'mcp-protocol-version': '2025-03-26' });
    await client.begin('2025-03-26');
    for (const each of [client, stateless]) {
      const three = [each.toolCall('echo'), each.toolCall('echo'), each.toolCall('echo')];
      expect(await refusalOf(await each.post(three))).toEqual(USER_HAS_TWO);
    }
    const running = await client.post([client.toolCall('wait'), client.toolCall('echo')]);
    await running.sse.message();
    // One of the two is answered.
    await eventually(async () => (await stateless.callTool('echo')).status === 200);
    open();
    await running.sse.rest();
  });

  it('requests that the failing store or the server refuses leave no trace', async () => {
    const { backend, fail, heal } = failingBackend();
    const store = await createSessionStore(backend);
    const { begin } = await startWaiting(line, { store, maxOpenRequestsPerProcess: 1 });
    const client = await begin();
    fail(['appendEvents', 'updateSession']);
    for (let n = 0; n < 3; n++) expect((await client.callTool('echo')).status).toBe(503);
    heal();
    const tooLong = { jsonrpc: '2.0', id: 's', method: 'resources/subscribe', params: { uri: 'x'.repeat(100_000) } };
    const codes: unknown[] = [];
    for (const message of [tooLong, { jsonrpc: '2.0', id: 'u', method: 'unknown' }, client.toolCall('echo')]) {
      const answer = await client.post(message);
      expect(answer.status).toBe(200);
      codes.push(((await answer.sse.message()).message['error'] as { code?: number } | undefined)?.code);
    }
    expect(codes).toEqual([-32_602, -32_601, undefined]);
  });
});

function cancellation(requestId: string): object {
  return { jsonrpc: '2.0', method: 'notifications/cancelled', params: { requestId } };
}
