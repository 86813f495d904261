import { describe, expect, it } from 'vitest';
import { eventually, gate, start } from '../support/harness.ts';
import type { Json, ServerPort } from '../support/line.ts';
import { lines } from '../support/lines.ts';

const asks = {
  ask: async (_: Json, { elicit }: { elicit(message: string): Promise<Json> }) => JSON.stringify(await elicit('name?')),
};

describe.each(lines)('requests of the server, SDK $name', (line) => {
  it("rule 11: a client's answer reaches the handler that waits for it", async () => {
    const { url } = await start(line, { tools: asks });
    const client = await line.connect(url, { onElicit: (message) => ({ asked: message }) });
    const answers = await Promise.all([client.call('ask'), client.call('ask'), client.call('ask')]);
    expect(answers).toEqual(Array.from({ length: 3 }, () => '{"asked":"name?"}'));
    await client.close();
    expect(client.errors).toEqual([]);
  });

  it('rule 10: no id is used twice in a session, on any node and after any restart', async () => {
    const { raw, another } = await start(line, { tools: asks });
    const client = raw();
    await client.begin();
    const ids: unknown[] = [];
    for (let node = 0; node < 3; node++) {
      for (let call = 0; call < 2; call++) {
        const { sse } = await client.callTool('ask');
        const { message } = await sse.message();
        expect(message).toMatchObject({ jsonrpc: '2.0', method: 'elicitation/create', params: { message: 'name?' } });
        ids.push(message['id']);
        await client.post({ jsonrpc: '2.0', id: message['id'], result: { action: 'accept', content: { call } } });
        expect((await sse.message()).message).toMatchObject({ result: { content: [{ text: `{"call":${call}}` }] } });
      }
      another();
    }
    expect(new Set(ids).size).toBe(6);
  });

  it('rule 10: a response to a request of a closed server is accepted and dropped', async () => {
    const { raw, another } = await start(line, { tools: asks });
    const client = raw();
    await client.begin();
    const old = await client.callTool('ask');
    const oldId = (await old.sse.message()).message['id'];
    another();
    const { sse } = await client.callTool('ask');
    const newId = (await sse.message()).message['id'];
    for (const id of [oldId, 0, '0', 'nonsense', newId]) {
      const response = await client.post({
        jsonrpc: '2.0',
        id,
        result: { action: 'accept', content: { id: String(id) } },
      });
      expect(response.status).toBe(202);
    }
    expect((await sse.message()).message).toMatchObject({
      result: { content: [{ text: JSON.stringify({ id: String(newId) }) }] },
    });
    await old.cancel();
  });

  it("progress and cancellations of the server's requests use the same ids", async () => {
    let port: ServerPort | undefined;
    const { raw } = await start(line, { serve: () => ({ tools: {}, onCreated: (created) => (port = created) }) });
    const client = raw();
    await client.begin();
    const { sse } = await client.get();
    const [progress, abort] = [gate<number>(), new AbortController()];
    const asked = port?.listRoots({ onProgress: progress.open, signal: abort.signal });
    const { message } = await sse.message();
    const progressToken = ((message['params'] as Json)['_meta'] as Json)['progressToken'];
    expect(progressToken).toBe(message['id']);
    await client.post({
      jsonrpc: '2.0',
      method: 'notifications/progress',
      params: { progressToken: 'unknown', progress: 1 },
    });
    await client.post({ jsonrpc: '2.0', method: 'notifications/progress', params: { progressToken, progress: 7 } });
    expect(await progress.passed).toBe(7);
    abort.abort('no more');
    await expect(asked).rejects.toThrow('no more');
    expect((await sse.message()).message).toMatchObject({
      method: 'notifications/cancelled',
      params: { requestId: message['id'] },
    });
    await sse.cancel();
  });

  it("progress of a client's request comes on its stream, in order, before the answer", async () => {
    const { url } = await start(line, {
      tools: {
        count: async ({ to }, { progress }) => {
          for (let i = 1; i <= Number(to); i++) await progress(i);
          return 'counted';
        },
      },
    });
    const client = await line.connect(url);
    const seen: number[] = [];
    expect(await client.call('count', { to: 50 }, { onProgress: (n) => seen.push(n) })).toBe('counted');
    expect(seen).toEqual(Array.from({ length: 50 }, (_, i) => i + 1));
    await client.close();
  });

  it('a cancellation aborts the handler and ends the stream without a response, for a client that resumes too', async () => {
    const [begun, aborted] = [gate(), gate()];
    const { raw, handler } = await start(line, {
      localIdleMs: 20,
      tools: {
        wait: async (_, { signal }) => {
          signal.addEventListener('abort', () => aborted.open());
          begun.open();
          await aborted.passed;
          return 'too late';
        },
      },
    });
    const client = raw();
    await client.begin();
    const call = client.toolCall('wait');
    const { sse } = await client.post(call);
    const cursor = (await sse.next())?.id ?? '';
    await begun.passed;
    expect(
      (await client.post({ jsonrpc: '2.0', method: 'notifications/cancelled', params: { requestId: call.id } })).status,
    ).toBe(202);
    await aborted.passed;
    expect((await sse.rest()).filter(({ data }) => data)).toEqual([]);
    const resumed = await client.get({ 'last-event-id': cursor });
    expect((await resumed.sse.rest()).filter(({ data }) => data)).toEqual([]);
    // Nothing of it counts as work any more.
    await eventually(() => handler.localSessions === 0);
  });

  it('a request with an id in use, as after a restart of the client, is answered on its own stream', async () => {
    const go = gate();
    const { raw } = await start(line, {
      tools: {
        slow: async () => {
          await go.passed;
          return 'slow';
        },
        fast: () => 'fast',
      },
    });
    const client = raw();
    await client.begin();
    const slow = client.toolCall('slow');
    const first = await client.post(slow);
    const second = await client.post({ ...client.toolCall('fast'), id: slow.id });
    expect((await second.sse.message()).message).toMatchObject({
      id: slow.id,
      result: { content: [{ text: 'fast' }] },
    });
    go.open();
    expect((await first.sse.message()).message).toMatchObject({
      id: slow.id,
      result: { content: [{ text: 'slow' }] },
    });
  });

  it('ids of requests and streams reveal nothing about other sessions', async () => {
    const { raw } = await start(line, { tools: asks });
    const ids: string[][] = [];
    for (let session = 0; session < 3; session++) {
      const client = raw();
      await client.begin();
      const { sse } = await client.callTool('ask');
      const { id, message } = await sse.message();
      ids.push([id.replace(/^.*-([0-9a-z]+)-1$/, '$1'), String(message['id']).replace(/^[0-9a-f]+[.]/, '')]);
      await sse.cancel();
    }
    for (const [stream, request] of ids) {
      expect(stream).toMatch(/^[0-9a-f]{12}1$/);
      expect(request).toMatch(/^[0-9a-f]{12}[.]1$/);
    }
    expect(new Set(ids.flat()).size).toBe(6);
  });
});
