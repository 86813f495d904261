import { describe, expect, it } from 'vitest';
import { eventually, gate, start } from '../support/harness.ts';
import type { Json, ServerPort, Tool } from '../support/line.ts';
import { lines } from '../support/lines.ts';

/** A tool that says `text` as a log message, `times` times, and answers when it is let. */
function talker(go?: Promise<void>): Tool {
  return async ({ text = 'tick', times = 1 }, { notify }) => {
    for (let i = 1; i <= Number(times); i++) {
      await notify('notifications/message', { level: 'info', data: `${String(text)} ${i}` });
    }
    await go;
    return 'done';
  };
}

const dataOf = ({ message }: { readonly message: Json }): unknown =>
  (message['params'] as Json | undefined)?.['data'] ?? message['result'] ?? message['error'];
const DONE = { content: [{ type: 'text', text: 'done' }] };

describe.each(lines)('streams, SDK $name', (line) => {
  it('rule 17: a stream of several messages begins with an id, empty data and retry, for 2025-11-25 and not before', async () => {
    const { raw } = await start(line, { tools: { talk: talker() }, restartRetryMs: 0 });
    const client = raw();
    await client.begin();
    const frames = await (await client.callTool('talk')).sse.rest();
    expect(frames[0]).toEqual({ id: expect.stringMatching(/^[\x21-\x7e]+$/), data: '' });
    expect(frames[1]).toEqual({ retry: 0 });
    expect(frames.slice(2).map(({ data }) => dataOf({ message: JSON.parse(data ?? '') as Json }))).toEqual([
      'tick 1',
      DONE,
    ]);
    const listening = await client.get();
    expect(await listening.sse.next()).toEqual({ id: expect.any(String), data: '' });
    await listening.cancel();

    const older = raw();
    await older.begin('2025-06-18');
    expect((await (await older.callTool('talk')).sse.rest()).map(({ data }) => data !== '')).toEqual([true, true]);
    const olderListening = await older.get();
    expect(await olderListening.sse.next()).toEqual({ id: expect.any(String) });
    await olderListening.cancel();
  });

  it('rules 13 and 16: after each of its ids, a stream sends the rest again and then ends', async () => {
    const { raw, another } = await start(line, { tools: { talk: talker() } });
    const client = raw();
    await client.begin();
    const frames = (await (await client.callTool('talk', { times: 4 })).sse.rest()).filter(
      ({ id }) => id !== undefined,
    );
    expect(frames).toHaveLength(6);
    // On the node that has sent it, and on one that did not have the session.
    for (const restart of [false, true]) {
      if (restart) another();
      for (const [index, { id = '' }] of frames.entries()) {
        const resumed = await client.get({ 'last-event-id': id });
        if (index === frames.length - 1) {
          expect(resumed.status).toBe(204);
          continue;
        }
        const again = (await resumed.sse.rest()).filter((frame) => frame.id !== undefined);
        expect(again).toEqual([{ id, data: '' }, ...frames.slice(index + 1)]);
      }
    }
  });

  it('rules 15 and 20: a disconnect cancels nothing; a resuming GET gets what was missed, what follows, and the end', async () => {
    const go = gate();
    const { raw } = await start(line, { tools: { talk: talker(go.passed) } });
    const client = raw();
    await client.begin();
    const { sse } = await client.callTool('talk', { times: 2 });
    await sse.next();
    const first = await sse.message();
    await sse.cancel();
    const resumed = await client.get({ 'last-event-id': first.id });
    expect(dataOf(await resumed.sse.message())).toBe('tick 2');
    go.open();
    expect(dataOf(await resumed.sse.message())).toEqual(DONE);
    expect(await resumed.sse.next()).toBeUndefined();
  });

  it('rule 14: a stream that is resumed while its first connection is open continues on one of them only', async () => {
    const go = gate();
    const { raw } = await start(line, { tools: { talk: talker(go.passed) } });
    const client = raw();
    await client.begin();
    const first = await client.callTool('talk', { times: 1 });
    const priming = await first.sse.next();
    await first.sse.message();
    const second = await client.get({ 'last-event-id': priming?.id ?? '' });
    expect(await first.sse.next()).toBeUndefined();
    go.open();
    expect((await second.sse.rest()).filter(({ data }) => data)).toHaveLength(2);
  });

  it("rules 14 and 15: a stream never carries another stream's messages", async () => {
    let port: ServerPort | undefined;
    const { raw, store } = await start(line, {
      serve: () => ({ tools: { talk: talker() }, onCreated: (created) => (port = created) }),
    });
    const client = raw();
    const id = await client.begin();
    const listening = await client.get();
    const calls = await Promise.all(['a', 'b', 'c'].map((text) => client.callTool('talk', { text, times: 3 })));
    await port?.notify('notifications/message', { level: 'info', data: 'to all' });
    for (const [index, { sse }] of calls.entries()) {
      const text = 'abc'[index];
      const data = (await sse.rest())
        .filter((frame) => frame.data)
        .map((frame) => dataOf({ message: JSON.parse(frame.data ?? '') as Json }));
      expect(data).toEqual([`${text} 1`, `${text} 2`, `${text} 3`, DONE]);
    }
    // Any node that has the session can send on its standalone stream.
    await (
      await store.get(id)
    )?.events.append('_GET_stream', {
      jsonrpc: '2.0',
      method: 'notifications/message',
      params: { level: 'info', data: 'from the log' },
    });
    expect(dataOf(await listening.sse.message())).toBe('to all');
    expect(dataOf(await listening.sse.message())).toBe('from the log');
    await listening.cancel();
  });

  it('a second standalone stream is refused with 409; one that resumes takes over', async () => {
    const { raw, store } = await start(line);
    const client = raw();
    const id = await client.begin();
    const first = await client.get();
    const cursor = (await first.sse.next())?.id ?? '';
    expect((await client.get()).status).toBe(409);
    const resumed = await client.get({ 'last-event-id': cursor });
    expect((await first.sse.rest()).at(-1)).toEqual({ comment: 'keep-alive' });
    await (
      await store.get(id)
    )?.events.append('_GET_stream', {
      jsonrpc: '2.0',
      method: 'notifications/message',
      params: { level: 'info', data: 'x' },
    });
    expect(dataOf(await resumed.sse.message())).toBe('x');
    await resumed.cancel();
    // Its place is free again.
    await eventually(async () => {
      const next = await client.get();
      await next.cancel();
      return next.status === 200;
    });
  });

  it('rule 19: a cursor that was not issued for the session is a 400 and ends nothing', async () => {
    const { raw, store } = await start(line, { tools: { talk: talker() } });
    const client = raw();
    const id = await client.begin();
    const stranger = raw();
    await stranger.begin();
    const foreign = (await (await stranger.callTool('talk')).sse.next())?.id ?? '';
    const own = (await (await client.callTool('talk')).sse.next())?.id ?? '';
    const hidden = (await (await store.get(id))?.events.append('private', { secret: true })) ?? '';
    const future = own.replace(/^\d+/, '999999');
    const elsewhere = own.replace(/^\d+/, '1');
    for (const cursor of [foreign, hidden, future, elsewhere, 'nonsense', '1', '0.0.0', `${own}x`, 'x'.repeat(4_000)]) {
      const response = await client.get({ 'last-event-id': cursor });
      expect([cursor, response.status]).toEqual([cursor, 400]);
      expect((await response.error()).message).toBe('Last-Event-ID was not issued for this session');
    }
    expect((await client.callTool('talk')).status).toBe(200);
  });

  it('keep-alive comments leave the cursor alone and keep the session alive', async () => {
    let now = 1_000_000;
    const { raw, store } = await start(line, {
      keepAliveMs: 15,
      memory: { clock: () => now, ttlMs: 10_000, touchIntervalMs: 100 },
    });
    const client = raw();
    const id = await client.begin();
    const { sse } = await client.get();
    await sse.next();
    await sse.next();
    for (let i = 0; i < 4; i++) {
      expect(await sse.next()).toEqual({ comment: 'keep-alive' });
      now += 9_000;
      expect(await sse.next()).toEqual({ comment: 'keep-alive' });
    }
    expect(await store.get(id)).toBeDefined();
    await sse.cancel();
  });

  it('rule 18: before the server closes a connection it sends retry; the stream goes on', async () => {
    const [closed, go] = [gate(), gate()];
    const closer: Tool = async (_, { notify, closeStream }) => {
      closeStream();
      closed.open();
      await go.passed;
      await notify('notifications/message', { level: 'info', data: 'later' });
      return 'done';
    };
    const { raw } = await start(line, { tools: { closer }, retryIntervalMs: 77, restartRetryMs: 0 });
    const client = raw();
    await client.begin();
    const frames = await (await client.callTool('closer')).sse.rest();
    expect(frames.map(({ retry }) => retry)).toEqual([undefined, 0, 77]);
    await closed.passed;
    go.open();
    const resumed = await client.get({ 'last-event-id': frames[0]?.id ?? '' });
    expect(
      (await resumed.sse.rest())
        .filter(({ data }) => data)
        .map(({ data }) => dataOf({ message: JSON.parse(data ?? '') as Json })),
    ).toEqual(['later', DONE]);
  });
});
