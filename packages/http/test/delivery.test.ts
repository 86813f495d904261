import { describe, expect, it } from 'vitest';
import { eventually, start } from './support/harness.ts';
import { lines } from './support/lines.ts';

describe.each(lines)('delivery of the standalone stream, SDK $name', (line) => {
  it('a process that held the session all the while goes on where another one has stopped delivering', async () => {
    const { raw, store, served, handler, another } = await start(line, { keepAliveMs: 20 });
    const client = raw();
    const id = await client.begin();
    const [first, second] = [handler, another({ keepAliveMs: 20 })];
    const session = await store.get(id);
    const event = await session?.events.append('_GET_stream', { jsonrpc: '2.0', method: 'notifications/test' });

    const listening = await client.get();
    expect((await listening.sse.message()).id).toBe(event);
    const read = listening.sse.rest();
    await eventually(async () => (await store.get(id))?.protocol['standaloneCursor'] === event);
    await second.close();
    await read;

    served.replace(first);
    expect(first.localSessions).toBe(1);
    const again = await client.get();
    expect((await again.sse.next())?.id).toBe(event);
    await again.cancel();
  });
});
