import { createSessionStore, type Capabilities } from '@mcp-session/core/backend';
import { once } from 'node:events';
import { connect as connectSocket } from 'node:net';
import { describe, expect, it } from 'vitest';
import { failingBackend } from '../support/failing-backend.ts';
import { eventually, gate, start } from '../support/harness.ts';
import type { Line, Tool } from '../support/line.ts';
import { lines } from '../support/lines.ts';

async function startCounted(line: Line, tools: Record<string, Tool>, facts: Partial<Capabilities> = {}) {
  const { backend, ...switches } = failingBackend(facts);
  const harness = await start(line, { store: await createSessionStore(backend), tools });
  const client = harness.raw();
  const id = await client.begin();
  switches.calls();
  const logged = async () => {
    const events = (await (await harness.store.get(id))?.events.recent(100)) ?? [];
    return events.filter(({ streamId }) => streamId.startsWith('req-')).map(({ message }) => message);
  };
  return { ...harness, ...switches, client, id, logged };
}

const dataOf = (messages: readonly unknown[]): unknown[] =>
  messages.map((message) => {
    const { params, result, opened } = message as Record<string, Record<string, unknown> | undefined>;
    return params?.['data'] ?? (result === undefined ? opened : 'answer');
  });

describe.each(lines)('the stream of a call, SDK $name', (line) => {
  it('an immediate answer costs one read of the session and one commit', async () => {
    const { client, calls } = await startCounted(line, { echo: () => 'x' });
    for (let round = 0; round < 3; round++) {
      const frames = await (await client.callTool('echo')).sse.rest();
      expect(frames.map(({ id, retry, data }) => [id !== undefined, retry, data?.includes('"x"')])).toEqual([
        [true, undefined, true],
      ]);
      expect(calls()).toEqual(['readSession', 'appendEvents']);
    }
  });

  it('an immediate answer is stored and then sent in one piece', async () => {
    const { client, hold, url, id } = await startCounted(line, { echo: () => 'x' });
    const release = hold(['appendEvents']);
    const socket = connectSocket(Number(url.port), '127.0.0.1');
    const body = JSON.stringify(client.toolCall('echo'));
    const accept = 'accept: application/json, text/event-stream\r\ncontent-type: application/json';
    socket.write(
      `POST /mcp HTTP/1.1\r\nhost: localhost\r\n${accept}\r\nmcp-session-id: ${id}\r\ncontent-length: ${body.length}\r\n\r\n${body}`,
    );
    await new Promise((resolve) => setTimeout(resolve, 100));
    expect(socket.readableLength).toBe(0);
    const data = once(socket, 'data');
    release();
    const [chunk] = (await data) as [Buffer];
    expect(String(chunk)).toMatch(/^HTTP\/1.1 200 OK\r\n[^]*\r\n\r\nevent: message\nid: [^]*"result"[^]*\n\n$/);
    socket.destroy();
  });

  it('a slow call gets its cursor soon, and not before the cursor is stored', async () => {
    const go = gate();
    const { client, hold, logged } = await startCounted(line, {
      wait: async () => {
        await go.passed;
        return 'x';
      },
    });
    const release = hold(['appendEvents']);
    let status = 0;
    const call = client.callTool('wait').then((response) => {
      ({ status } = response);
      return response;
    });
    await new Promise((resolve) => setTimeout(resolve, 100));
    expect(status).toBe(0);
    release();
    const { sse } = await call;
    expect((await sse.next())?.id).toBeDefined();
    expect(await logged()).toEqual([{ opened: [1] }]);
    go.open();
    expect((await sse.message()).message).toHaveProperty('result');
  });

  it('messages that are sent while the stream is being stored follow in order and once', async () => {
    const { client, hold, logged } = await startCounted(line, {
      talk: async (_, { notify }) => {
        const said = [1, 2, 3].map((data) => notify('notifications/message', { level: 'info', data }));
        await new Promise((resolve) => setTimeout(resolve, 30));
        said.push(notify('notifications/message', { level: 'info', data: 4 }));
        void Promise.all(said);
        return 'x';
      },
    });
    const release = hold(['appendEvents']);
    const call = client.callTool('talk');
    await new Promise((resolve) => setTimeout(resolve, 100));
    release();
    const { sse } = await call;
    const frames = (await sse.rest()).flatMap(({ data }) => (data ? [JSON.parse(data) as unknown] : []));
    expect(dataOf(frames)).toEqual([1, 2, 3, 4, 'answer']);
    expect(dataOf(await logged())).toEqual([[1], 1, 2, 3, 4, 'answer']);
  });

  it('they do so even if the store was busy at first', async () => {
    const { client, fail, logged } = await startCounted(line, {
      talk: async (_, { notify }) => {
        const said = [notify('notifications/message', { level: 'info', data: 1 })];
        await new Promise((resolve) => setTimeout(resolve, 5));
        said.push(notify('notifications/message', { level: 'info', data: 2 }));
        await Promise.all(said);
        return 'x';
      },
    });
    fail(['appendEvents'], 1, { retryable: true });
    const frames = await (await client.callTool('talk')).sse.rest();
    expect(dataOf(frames.flatMap(({ data }) => (data ? [JSON.parse(data) as unknown] : [])))).toEqual([1, 2, 'answer']);
    expect(dataOf(await logged())).toEqual([[1], 1, 2, 'answer']);
  });

  it("a message that was stored without the stream's beginning is never hidden by a later beginning", async () => {
    const { client, fail, logged } = await startCounted(line, { echo: () => 'x' }, { maxBatchEvents: 1 });
    fail(['appendEvents'], 1, { retryable: true });
    expect((await client.callTool('echo')).status).toBe(503);
    expect(dataOf(await logged())).toEqual(['answer']);
  });

  it('a store that works again costs one commit again', async () => {
    const { client, fail, heal, calls } = await startCounted(line, { echo: () => 'x' });
    fail(['appendEvents']);
    expect((await client.callTool('echo')).status).toBe(503);
    heal();
    await (await client.callTool('echo')).sse.rest();
    calls();
    await (await client.callTool('echo')).sse.rest();
    expect(calls()).toEqual(['readSession', 'appendEvents']);
  });

  it('a handler that closes its stream at once leaves its client a cursor', async () => {
    const go = gate();
    const { client } = await startCounted(line, {
      leave: async (_, { closeStream }) => {
        closeStream();
        await go.passed;
        return 'x';
      },
    });
    const frames = await (await client.callTool('leave')).sse.rest();
    expect(frames.at(-1)).toEqual({ retry: 1_000 });
    const resumed = await client.get({ 'last-event-id': frames[0]?.id ?? '' });
    go.open();
    expect((await resumed.sse.message()).message).toHaveProperty('result');
  });

  it('a client that disconnects before its stream began cancels nothing', async () => {
    const begun = gate();
    const echo: Tool = () => {
      begun.open();
      return 'x';
    };
    const { client, hold, logged, handler } = await startCounted(line, { echo });
    const release = hold(['appendEvents']);
    const abort = new AbortController();
    const call = fetch(client.url, {
      method: 'POST',
      headers: { ...client.headers, 'content-type': 'application/json', accept: 'application/json, text/event-stream' },
      body: JSON.stringify(client.toolCall('echo')),
      signal: abort.signal,
    });
    await begun.passed;
    abort.abort();
    await expect(call).rejects.toThrow('aborted');
    release();
    await eventually(async () => dataOf(await logged()).includes('answer'));
    expect(handler.localSessions).toBe(1);
  });

  it('a node that closes while a call is new answers it with an error', async () => {
    const begun = gate();
    const { client, handler } = await startCounted(line, {
      wait: async (_, { signal }) => {
        begun.open();
        await new Promise((resolve) => signal.addEventListener('abort', resolve));
        return 'x';
      },
    });
    const call = client.callTool('wait');
    await begun.passed;
    const closed = handler.close();
    expect((await (await call).sse.message()).message).toMatchObject({
      error: { message: 'Server was stopped while it handled the request' },
    });
    await closed;
  });
});
