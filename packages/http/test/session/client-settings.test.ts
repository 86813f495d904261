import { describe, expect, it } from 'vitest';
import { start } from '../support/harness.ts';
import type { ServerPort } from '../support/line.ts';
import { lines } from '../support/lines.ts';
import { type Node, startNodes } from '../support/nodes.ts';

const subscribe = (uri: string) => ({ jsonrpc: '2.0', id: uri, method: 'resources/subscribe', params: { uri } });

describe.each(lines)('settings and notifications of a client, SDK $name', (line) => {
  it('changed roots reach every server of the session, once, with its next request', async () => {
    const told: number[] = [];
    const [a, b] = (await startNodes(line, 2, {
      serve: (node) => ({ tools: { echo: () => 'x' }, onRootsChanged: () => told.push(node) }),
    })) as [Node, Node];
    const client = a.raw();
    await client.begin();
    const elsewhere = b.raw(client.headers);
    await (await elsewhere.callTool('echo')).sse.rest();
    for (const changed of [client, elsewhere]) {
      await changed.post({ jsonrpc: '2.0', method: 'notifications/roots/list_changed' });
    }
    for (let round = 0; round < 2; round++) {
      for (const node of [client, elsewhere]) await (await node.callTool('echo')).sse.rest();
    }
    expect(told.filter((node) => node === 0)).toHaveLength(2);
    expect(told).toHaveLength(4);
    expect([...a.errors, ...b.errors]).toEqual([]);
  });

  it('responses and progress for unknown requests reach onerror of the server, up to a bound', async () => {
    const heard: string[] = [];
    let port: ServerPort | undefined;
    const { raw, errors } = await start(line, {
      serve: () => ({
        tools: {},
        onError: ({ message }) => heard.push(message),
        onCreated: (created) => (port = created),
      }),
    });
    const client = raw();
    await client.begin('2025-03-26');
    const { sse } = await client.get();
    const asked = port?.listRoots();
    const { message } = await sse.message();
    const answer = { jsonrpc: '2.0', id: message['id'], result: { roots: [] } };
    await client.post(answer);
    await asked;
    expect(heard).toEqual([]);
    const progress = { jsonrpc: '2.0', method: 'notifications/progress', params: { progressToken: 'x', progress: 1 } };
    for (const stray of [answer, { ...answer, id: 'y'.repeat(1_000) }, progress]) {
      expect((await client.post(stray)).status).toBe(202);
    }
    expect(heard).toEqual([
      `Received a response for an unknown message ID: "${String(message['id'])}"`,
      expect.stringMatching(/^Received a response for an unknown message ID: "y{99}$/),
      'Received a progress notification for an unknown token: "x"',
    ]);
    await client.post(Array.from({ length: 98 }, () => progress));
    expect(heard).toHaveLength(100);
    expect(errors).toEqual([]);
    await sse.cancel();
  });

  // The second one has six bytes in JSON, as it is stored.
  it.each([
    ['0', 1],
    ['\u0001', 6],
  ])('subscriptions beyond the limits get an error, and everything else goes on: URIs of %j', async (char, bytes) => {
    let subscribed = 0;
    const { raw, errors, another } = await start(line, {
      serve: () => ({ tools: { echo: () => 'x' }, onSubscribe: () => subscribed++ }),
    });
    const client = raw();
    await client.begin('2025-03-26');
    const answersTo = async (uris: readonly string[]): Promise<string[]> => {
      const { sse } = await client.post(uris.map(subscribe));
      return (await sse.rest()).flatMap(({ data }) => (data ? [data] : []));
    };
    const fill = '0'.repeat(2_044 % bytes) + char.repeat(2_044 / bytes);
    const uri = (number: number) => `a:${String(number).padStart(2, '0')}${fill}`;
    const [tooLong] = await answersTo([`a:${'x'.repeat(2_047)}`]);
    expect(tooLong).toMatch(/-32602.*2048 bytes as JSON/);
    expect((await answersTo([`${uri(0)}${char}`]))[0]).toMatch(/-32602.*2048 bytes/);
    expect(subscribed).toBe(0);
    // So large that the bytes are too many before their number is.
    for (let batch = 0; batch < 2; batch++) {
      await answersTo(Array.from({ length: 16 }, (_, i) => uri(batch * 16 + i)));
    }
    expect(subscribed).toBe(32);
    expect((await answersTo(['a:b']))[0]).toMatch(/-32602.*65536 bytes/);
    expect(subscribed).toBe(32);
    await client.post({ ...subscribe(uri(0)), method: 'resources/unsubscribe' });
    expect((await answersTo(['a:b']))[0]).toContain('"result"');
    // What the session needs for itself has room.
    const listening = await client.get();
    expect(listening.status).toBe(200);
    await listening.cancel();
    another();
    expect((await client.callTool('echo')).status).toBe(200);
    expect(errors).toEqual([]);
  });

  it("an initialize that leaves no room for the session's own data is a 413", async () => {
    const { raw, errors } = await start(line);
    const client = raw();
    const message = (bytes: number) => ({
      jsonrpc: '2.0',
      id: 1,
      method: 'initialize',
      params: {
        protocolVersion: '2025-11-25',
        capabilities: {},
        clientInfo: { name: 'x'.repeat(bytes), version: '1' },
      },
    });
    expect((await client.post(message(131_072))).status).toBe(413);
    expect((await client.post(message(130_000))).status).toBe(200);
    expect(errors).toEqual([]);
  });
});
