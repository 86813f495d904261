import { describe, expect, it } from 'vitest';
import { start } from '../support/harness.ts';
import { lines } from '../support/lines.ts';

describe.each(lines)('rule 25: when clients reconnect, SDK $name', (line) => {
  it('500 connections get values of their own, and two tries of each cover a restart of 10 s', async () => {
    const { raw, handler } = await start(line);
    const client = raw();
    await client.begin();
    let cursor: string | undefined;
    const values: number[] = [];
    for (let n = 0; n < 500; n++) {
      const headers = { ...client.headers, accept: 'text/event-stream', ...(cursor && { 'last-event-id': cursor }) };
      // Without a socket between them, it is quick.
      const { body } = await handler.fetch(new Request(client.url, { headers }));
      const reader = (body as ReadableStream<Uint8Array>).getReader();
      const text = new TextDecoder().decode((await reader.read()).value);
      await reader.cancel();
      cursor = /^id: (.+)$/m.exec(text)?.[1] ?? cursor;
      values.push(Number(/^retry: (\d+)$/m.exec(text)?.[1]));
    }
    const [least, most] = [Math.min(...values), Math.max(...values)];
    expect([least >= 5_250, least < 5_600, most > 8_400, most <= 8_750]).toEqual([true, true, true, true]);
    expect(new Set(values).size).toBeGreaterThan(300);
    // Spread evenly: no tenth of the span has more than twice its share.
    const tenths = values.map((value) => Math.min(9, Math.floor((value - 5_250) / 350)));
    for (let tenth = 0; tenth < 10; tenth++) {
      expect(tenths.filter((each) => each === tenth).length).toBeLessThan(100);
    }
  });
});
