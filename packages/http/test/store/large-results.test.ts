import { createMemoryStore } from '@mcp-session/core/memory';
import { describe, expect, it } from 'vitest';
import { allAddresses } from '../support/addresses.ts';
import { openStore } from '../support/chaos-store.ts';
import { gate, start } from '../support/harness.ts';
import type { Json } from '../support/line.ts';
import { lines } from '../support/lines.ts';

/** 5 MiB, as a screenshot in base64. */
const TEXT = 'x'.repeat(5_242_880);

const stores = [
  ['memory', createMemoryStore],
  ...allAddresses.map(([name, open]) => [name, async () => openStore(await open())] as const),
] as const;

describe.each(lines)('a result of 5 MiB, SDK $name', { timeout: 60_000 }, (line) => {
  it.each(stores)('reaches the client that waits for it: %s', async (_, open) => {
    const store = await open();
    const isKept = store.capabilities.maxEventBytes > TEXT.length;
    const streamed = gate();
    const tools = {
      atOnce: () => TEXT,
      later: async () => {
        await streamed.passed;
        return TEXT;
      },
    };
    const { raw, errors } = await start(line, { store, tools });
    const client = raw();
    await client.begin();
    for (const tool of Object.keys(tools)) {
      const { sse } = await client.callTool(tool);
      if (tool === 'later') streamed.open();
      const frames = await sse.rest();
      const [answer, ...others] = frames.filter(({ data }) => data);
      const message = JSON.parse(answer?.data ?? '') as Json;
      expect(message['result']).toMatchObject({ content: [{ text: TEXT }] });
      expect(Boolean(answer?.id)).toBe(isKept);
      expect(others).toEqual([]);

      // A whole response has no frame before it. A busy machine may begin the stream before the
      // response to a call at once. The response to the other one waits for its stream.
      const cursor = frames[0] === answer ? undefined : frames[0]?.id;
      if (tool === 'later' || !isKept) expect(cursor).toBeDefined();
      if (cursor === undefined) continue;
      const again = (await (await client.get({ 'last-event-id': cursor })).sse.message()).message;
      if (isKept) expect(again).toEqual(message);
      else expect(again).toMatchObject({ id: message['id'], error: { message: expect.stringContaining('not kept') } });
    }
    const body = { jsonrpc: '2.0', id: 'json', method: 'tools/call', params: { name: 'later', arguments: {} } };
    const json = await client.post(body, { accept: 'application/json' });
    expect(await json.json()).toMatchObject({ result: { content: [{ text: TEXT }] } });
    expect(errors).toHaveLength(isKept ? 0 : 3);
  });
});
