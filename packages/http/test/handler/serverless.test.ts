import { describe, expect, it } from 'vitest';
import { eventually, gate, start } from '../support/harness.ts';
import { lines } from '../support/lines.ts';
import { RawClient } from '../support/raw.ts';

describe.each(lines)('where open connections cost money, SDK $name', (line) => {
  it('standaloneStream: false answers the GET with 405, and resumes requests', async () => {
    const go = gate();
    const tools = {
      wait: async () => {
        await go.passed;
        return 'waited';
      },
    };
    const { raw, url, errors, another } = await start(line, { tools });
    const client = raw();
    await client.begin();
    const before = await client.get();
    const standalone = (await before.sse.next())?.id;
    await before.cancel();

    another({ standaloneStream: false });
    const call = await client.callTool('wait');
    const cursor = (await call.sse.next())?.id;
    await call.cancel();
    for (const cursors of [undefined, standalone]) {
      const refused = await client.get({ 'last-event-id': cursors });
      expect([refused.status, refused.headers.get('allow')]).toEqual([405, 'POST, DELETE']);
    }
    // A client that has no session learns it as well.
    expect((await new RawClient(url).get()).status).toBe(405);
    const resumed = await client.get({ 'last-event-id': cursor });
    expect(resumed.status).toBe(200);
    go.open();
    expect((await resumed.sse.rest()).at(-1)?.data).toContain('waited');

    const real = await line.connect(url);
    expect(await real.call('wait')).toBe('waited');
    await real.close();
    expect([real.errors, errors]).toEqual([[], []]);
  });

  it('maxStreamMs ends each connection with the short retry, and real clients lose nothing', async () => {
    const go = gate();
    const tools = {
      work: async (_: unknown, { progress }: { progress: (n: number) => Promise<void> }) => {
        for (let n = 1; n <= 20; n++) {
          await progress(n);
          await new Promise((resolve) => setTimeout(resolve, 20));
        }
        return 'worked';
      },
      wait: async () => {
        await go.passed;
        return 'waited';
      },
    };
    const { raw, url, handler } = await start(line, { tools, maxStreamMs: 60, retryIntervalMs: 15 });
    const client = raw();
    await client.begin();
    for (const response of [await client.get(), await client.callTool('wait')]) {
      expect((await response.sse.rest()).at(-1)).toEqual({ retry: 15 });
    }
    // A client that cannot resume its call keeps the connection.
    const older = raw();
    await older.begin('2025-06-18');
    const kept = await older.callTool('wait');
    await new Promise((resolve) => setTimeout(resolve, 150));
    go.open();
    expect((await kept.sse.rest()).at(-1)?.data).toContain('waited');

    let gets = 0;
    const real = await line.connect(url, {
      fetch: (input, init) => {
        if (init?.method === 'GET') gets++;
        return fetch(input, init);
      },
    });
    const progress: number[] = [];
    expect(await real.call('work', {}, { onProgress: (n) => progress.push(n) })).toBe('worked');
    expect(progress).toEqual(Array.from({ length: 20 }, (_, i) => i + 1));
    await handler.broadcast({ method: 'notifications/message', params: { level: 'info', data: 'all' } });
    await real.until(({ params }) => params['data'] === 'all');
    await eventually(() => gets > 4);
    await real.close();
  });

  it.each([0, -1, 1.5, Number.NaN, '60'])('maxStreamMs %j is refused', async (maxStreamMs) => {
    await expect(start(line, { maxStreamMs: maxStreamMs as number })).rejects.toThrow('maxStreamMs');
  });
});
