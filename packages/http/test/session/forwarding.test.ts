import { createSessionStore } from '@mcp-session/core/backend';
import { describe, expect, it } from 'vitest';
import { failingBackend } from '../support/failing-backend.ts';
import { start } from '../support/harness.ts';
import { lines } from '../support/lines.ts';
import { type Node, startNodes } from '../support/nodes.ts';

describe.each(lines)('a message for another node, SDK $name', (line) => {
  it('is forwarded without a server on the node that gets it', async () => {
    const made = [0, 0];
    const [a, b] = (await startNodes(line, 2, {
      serve: (node) => ({
        tools: {
          ask: async (_, { elicit }) => JSON.stringify(await elicit('name?')),
        },
        onCreated: () => void (made[node] = (made[node] ?? 0) + 1),
      }),
    })) as [Node, Node];
    const client = a.raw();
    await client.begin();
    const { sse } = await client.callTool('ask');
    const { message } = await sse.message();
    const other = b.raw(client.headers);

    const cancelled = { method: 'notifications/cancelled', params: { requestId: 'nothing runs under this id' } };
    expect((await other.post({ jsonrpc: '2.0', ...cancelled })).status).toBe(202);
    const answer = { id: message['id'], result: { action: 'accept', content: { name: 'Ada' } } };
    expect((await other.post({ jsonrpc: '2.0', ...answer })).status).toBe(202);
    expect(JSON.stringify((await sse.message()).message)).toContain('Ada');
    expect(made).toEqual([1, 0]);

    // A notification for any server of the session still makes one.
    await other.post({ jsonrpc: '2.0', method: 'notifications/roots/list_changed' });
    expect(made).toEqual([1, 1]);
    expect([...a.errors, ...b.errors]).toEqual([]);
  });
});

describe.each(lines)('a request stream that is resumed, SDK $name', (line) => {
  it('costs two reads where its node runs the request: the session, and the stream from the cursor on', async () => {
    const { backend, calls, rest } = failingBackend();
    const released = Promise.withResolvers<void>();
    const { raw } = await start(line, {
      store: await createSessionStore(backend),
      tools: {
        wait: async (_, { notify }) => {
          await notify('notifications/message', { level: 'info', data: 'one' });
          await released.promise;
          return 'done';
        },
      },
    });
    const client = raw();
    await client.begin();
    const { sse } = await client.callTool('wait');
    const { id } = await sse.message();
    await sse.cancel();
    for (let round = 0; round < 3; round++) {
      // The readers of the call and of the last round come to rest first.
      await rest();
      const resumed = await client.get({ 'last-event-id': id });
      expect(resumed.status).toBe(200);
      await resumed.sse.next();
      // Readers that wait ask for heads once a second.
      expect(calls().filter((name) => name !== 'readHeads')).toEqual(['readSession', 'readEvents']);
      await resumed.sse.cancel();
    }
    released.resolve();
  });
});
