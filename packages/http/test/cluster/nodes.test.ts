import { describe, expect, it } from 'vitest';
import { gate } from '../support/harness.ts';
import type { Json, ServerPort, Tool } from '../support/line.ts';
import { lines } from '../support/lines.ts';
import { type Node, routed, startNodes } from '../support/nodes.ts';

const ask: Tool = async (_, { elicit }) => JSON.stringify(await elicit('name?'));

async function two(nodes: Promise<Node[]>): Promise<[Node, Node]> {
  return (await nodes) as [Node, Node];
}

describe.each(lines)('several nodes, SDK $name', (line) => {
  it('rule 11: every kind of message is served on every node, with each request to the next node', async () => {
    const tools: Record<string, Tool> = {
      ask,
      count: async ({ to }, { progress }) => {
        for (let i = 1; i <= Number(to); i++) await progress(i);
        return 'counted';
      },
    };
    const nodes = await startNodes(line, 3, {
      serve: (_, { state }) => ({
        tools: {
          ...tools,
          add: async ({ note }) =>
            JSON.stringify(await state.update('notes', (notes: unknown = []) => [...(notes as unknown[]), note])),
        },
      }),
    });
    const [first] = nodes as [Node];
    const client = await line.connect(first.url, {
      fetch: routed(nodes, (count) => count),
      onElicit: (message) => ({ asked: message }),
    });
    expect(await client.call('add', { note: 1 })).toBe('[1]');
    for (let round = 0; round < 4; round++) expect(await client.call('ask')).toBe('{"asked":"name?"}');
    expect(await Promise.all([client.call('ask'), client.call('ask'), client.call('ask')])).toHaveLength(3);
    const seen: number[] = [];
    expect(await client.call('count', { to: 20 }, { onProgress: (n) => seen.push(n) })).toBe('counted');
    expect(seen).toEqual(Array.from({ length: 20 }, (_, i) => i + 1));
    expect(await client.call('add', { note: 2 })).toBe('[1,2]');
    await client.terminate();
    await client.close();
    expect(client.errors).toEqual([]);
    expect(nodes.flatMap(({ errors }) => errors)).toEqual([]);
  });

  it("rule 11: a client's response and its progress reach the handler on another node", async () => {
    const [progress, asked] = [gate<number>(), gate<unknown>()];
    let port: ServerPort | undefined;
    const [a, b] = await two(
      startNodes(line, 2, {
        serve: (node) => ({ tools: { ask }, onCreated: (created) => (port = node === 0 ? created : port) }),
      }),
    );
    const client = a.raw();
    await client.begin();
    const elsewhere = b.raw(client.headers);
    const call = await client.callTool('ask');
    const { message } = await call.sse.message();
    const answer = { jsonrpc: '2.0', id: message['id'], result: { action: 'accept', content: { name: 'Ada' } } };
    expect((await elsewhere.post(answer)).status).toBe(202);
    expect((await call.sse.message()).message).toMatchObject({ result: { content: [{ text: '{"name":"Ada"}' }] } });
    // Once: a second one finds nobody.
    expect((await elsewhere.post(answer)).status).toBe(202);

    // The standalone stream is open on b, and a asks outside of any request.
    const listening = await elsewhere.get();
    port?.listRoots({ onProgress: progress.open }).then(asked.open, asked.open);
    const { message: roots } = await listening.sse.message();
    const progressToken = ((roots['params'] as Json)['_meta'] as Json)['progressToken'];
    const notification = { jsonrpc: '2.0', method: 'notifications/progress', params: { progressToken, progress: 7 } };
    expect((await elsewhere.post(notification)).status).toBe(202);
    expect(await progress.passed).toBe(7);
    await elsewhere.post({ jsonrpc: '2.0', id: roots['id'], result: { roots: [{ uri: 'file:///a' }] } });
    expect(await asked.passed).toEqual({ roots: [{ uri: 'file:///a' }] });
    await listening.cancel();
  });

  it('a response for a dead node or an unknown request is accepted and dropped', async () => {
    const [a, b] = await two(startNodes(line, 2, { serve: () => ({ tools: { ask } }) }));
    const client = a.raw();
    const id = await client.begin();
    const elsewhere = b.raw(client.headers);
    for (const wireId of ['0123456789abcdef.0123456789ab.1', 0, '0', 'nonsense']) {
      const answer = { jsonrpc: '2.0', id: wireId, result: { action: 'accept', content: { wrong: true } } };
      expect((await elsewhere.post(answer)).status).toBe(202);
    }
    const { sse } = await client.callTool('ask');
    const { message } = await sse.message();
    await elsewhere.post({ jsonrpc: '2.0', id: message['id'], result: { action: 'accept', content: { right: true } } });
    expect((await sse.message()).message).toMatchObject({ result: { content: [{ text: '{"right":true}' }] } });
    expect(await (await b.store.get(id))?.events.recent(100, '_nodes')).toHaveLength(2);
    // What the nodes say to each other is not for clients.
    const [mail] = (await (await b.store.get(id))?.events.recent(1, '_nodes')) ?? [];
    expect((await client.get({ 'last-event-id': mail?.id })).status).toBe(400);
  });

  it('a cancellation on another node aborts the handler and ends the stream, but not a later request with the same id', async () => {
    const [begun, aborted, go] = [gate(), gate(), gate()];
    const wait: Tool = async (_, { signal }) => {
      signal.addEventListener('abort', () => aborted.open());
      begun.open();
      await aborted.passed;
      return 'too late';
    };
    const slow: Tool = async () => {
      await go.passed;
      return 'slow';
    };
    const [a, b] = await two(startNodes(line, 2, { serve: () => ({ tools: { wait, slow } }) }));
    const client = a.raw();
    await client.begin();
    const elsewhere = b.raw(client.headers);
    const request = client.toolCall('wait');
    const call = await client.post(request);
    await begun.passed;
    const cancel = { jsonrpc: '2.0', method: 'notifications/cancelled', params: { requestId: request.id } };
    expect((await elsewhere.post(cancel)).status).toBe(202);
    await aborted.passed;
    expect((await call.sse.rest()).filter(({ data }) => data)).toEqual([]);

    await elsewhere.post(cancel);
    const again = await client.post({ ...client.toolCall('slow'), id: request.id });
    await new Promise((resolve) => setTimeout(resolve, 300));
    go.open();
    expect((await again.sse.message()).message).toMatchObject({ id: request.id, result: {} });
  });

  it("rule 8: a server has its client's settings, whichever node received them", async () => {
    const told: string[] = [];
    const nodes = await startNodes(line, 2, {
      serve: (node, _, restored) => ({
        tools: { echo: () => 'x' },
        onInitialized: (server) => {
          told.push(`${node} initialized`);
          if (!restored) void server.notify('notifications/message', { level: 'info', data: `hello from ${node}` });
        },
        onLevel: (level) => told.push(`${node} ${level}`),
        onSubscribe: (uri) => told.push(`${node} ${uri}`),
      }),
    });
    const [a] = nodes as [Node];
    const client = await line.connect(a.url, { fetch: routed(nodes, (count) => (count === 0 ? 0 : 1)) });
    expect(await client.call('echo')).toBe('x');
    await client.request('logging/setLevel', { level: 'error' });
    await client.request('resources/subscribe', { uri: 'a:b' });
    expect(told).toEqual(['1 initialized', '1 error', '1 a:b']);
    // The first node knows none of it until a request comes.
    const there = a.raw({ 'mcp-session-id': client.sessionId, 'mcp-protocol-version': '2025-11-25' });
    await (await there.callTool('echo')).sse.rest();
    await (await there.callTool('echo')).sse.rest();
    expect(told.slice(3)).toEqual(['0 initialized', '0 error', '0 a:b']);
    // And its echo of what was said before is not for the client.
    const session = await a.store.get(client.sessionId);
    expect(JSON.stringify(await session?.events.recent(100, '_GET_stream'))).not.toContain('hello');
    await client.close();
  });
});
