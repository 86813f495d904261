import { describe, expect, it } from 'vitest';
import { eventually, gate, start } from '../support/harness.ts';
import { lines } from '../support/lines.ts';
import { type Node, startNodes } from '../support/nodes.ts';

const bearer = (sub: string) => ({ authorization: `Bearer https://issuer|${sub}` });

describe.each(lines)('what a client may keep open, SDK $name', (line) => {
  it('one request of a session too many is a 429 with Retry-After, in a batch too; the running ones are answered', async () => {
    const { passed, open } = gate();
    let running = 0;
    const { raw } = await start(line, {
      maxOpenRequests: 3,
      tools: {
        wait: async () => {
          running++;
          await passed;
          return 'done';
        },
      },
    });
    const [busy, other] = [raw(), raw()];
    await busy.begin('2025-03-26');
    await other.begin();
    const calls = [await busy.callTool('wait'), await busy.callTool('wait')];
    const batch = await busy.post([busy.toolCall('wait'), busy.toolCall('wait')]);
    expect([batch.status, batch.headers.get('retry-after')]).toEqual([429, '5']);
    calls.push(await busy.callTool('wait'));
    const refused = await busy.callTool('wait');
    expect([refused.status, (await refused.error()).message]).toEqual([
      429,
      'Too Many Requests: session has more than 3 unanswered requests',
    ]);
    // Notifications and other sessions are not held up.
    expect((await busy.post({ jsonrpc: '2.0', method: 'notifications/roots/list_changed' })).status).toBe(202);
    calls.push(await other.callTool('wait'));
    expect(calls.map(({ status }) => status)).toEqual(Array(4).fill(200));
    await eventually(() => running === 4);
    open();
    for (const call of calls) expect(JSON.stringify((await call.sse.message()).message)).toContain('done');
    expect((await busy.callTool('wait')).status).toBe(200);
  });

  it('a GET is 503 if the process has too many streams, 429 if its principal has, and served when one is closed', async () => {
    const { raw } = await start(line, { maxOpenStreams: 3, maxOpenStreamsPerPrincipal: 2, tools: {} });
    const begun = async (headers = {}) => {
      const client = raw(headers);
      await client.begin();
      return client;
    };
    const [a1, a2, a3] = [await begun(bearer('a')), await begun(bearer('a')), await begun(bearer('a'))];
    const [b1, nobody] = [await begun(bearer('b')), await begun()];
    const streams = [await a1.get(), await a2.get()];
    expect(streams.map(({ status }) => status)).toEqual([200, 200]);
    const refused = await a3.get();
    expect([refused.status, refused.headers.get('retry-after')]).toEqual([429, '5']);
    const listening = await b1.get();
    expect(listening.status).toBe(200);
    const full = await nobody.get();
    expect([full.status, full.headers.get('retry-after')]).toEqual([503, '5']);
    // Calls go on.
    expect((await nobody.callTool('x')).status).toBe(200);
    await streams[0]?.cancel();
    await eventually(async () => {
      const again = await a3.get();
      const { status } = again;
      await again.cancel();
      return status === 200;
    });
    for (const stream of [streams[1], listening]) await stream?.cancel();
    await eventually(async () => {
      const served = await nobody.get();
      await served.cancel();
      return served.status === 200;
    });
  });

  it('of the GETs that wait for a stream on another node, few ask the store and the others get 409 at once', async () => {
    const [a, b] = (await startNodes(line, 2)) as [Node, Node];
    const client = a.raw();
    await client.begin();
    const stream = await client.get();
    expect(stream.status).toBe(200);
    const elsewhere = b.raw(client.headers);
    const startedAt = performance.now();
    const settledAfter: number[] = [];
    const answers = await Promise.all(
      Array.from({ length: 50 }, async () => {
        const answer = await elsewhere.get();
        settledAfter.push(performance.now() - startedAt);
        await answer.cancel();
        return answer.status;
      }),
    );
    expect(new Set(answers)).toEqual(new Set([409]));
    // The last of all have waited for the stream to be given up; all but a few have not.
    const longest = Math.max(...settledAfter);
    expect(settledAfter.filter((ms) => ms > longest / 2).length).toBeLessThanOrEqual(4);
    await stream.cancel();
  });
});
