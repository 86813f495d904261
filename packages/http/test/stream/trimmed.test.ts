import { describe, expect, it } from 'vitest';
import { eventually, gate, start } from '../support/harness.ts';
import type { Json, Line } from '../support/line.ts';
import { lines } from '../support/lines.ts';

const log = (data: unknown): Json => ({
  jsonrpc: '2.0',
  method: 'notifications/message',
  params: { level: 'info', data },
});

async function startTrimmed(line: Line) {
  const [told, go] = [gate(), gate()];
  const tools = {
    work: async (_: Json, { notify }: { notify: (method: string, params: Json) => Promise<void> }) => {
      for (const data of ['a', 'b']) await notify('notifications/message', { level: 'info', data });
      told.open();
      await go.passed;
      return 'worked';
    },
  };
  const harness = await start(line, { tools });
  const client = harness.raw();
  const session = await harness.store.get(await client.begin());
  if (session === undefined) throw new Error('Session is gone');
  return { ...harness, client, session, told: told.passed, go: go.open };
}

describe.each(lines)('a cursor whose following events were trimmed, SDK $name', (line) => {
  it('of the standalone stream: the client gets what is left, after the news of the loss', async () => {
    const { client, session, errors } = await startTrimmed(line);
    const first = await client.get();
    const cursor = (await first.sse.next())?.id ?? '';
    await first.cancel();
    const gone = await session.events.append('_GET_stream', log('gone'));
    await session.events.append('_GET_stream', log('kept'));
    await session.events.trim({ through: gone });

    const { status, sse } = await client.get({ 'last-event-id': cursor });
    expect(status).toBe(200);
    const loss = await sse.message();
    expect(loss).toEqual({ id: '', message: expect.objectContaining({ method: 'notifications/message' }) });
    expect(loss.message['params']).toEqual({
      level: 'warning',
      logger: 'mcp-session',
      data: 'Messages of the server were lost: the client was away for longer than they are kept',
    });
    // The two SDK lines declare different lists that may change, and both declare that of the
    // tools.
    const lists: unknown[] = [];
    let kept = await sse.message();
    for (; kept.id === ''; kept = await sse.message()) lists.push(kept.message);
    expect(lists).toContainEqual({ jsonrpc: '2.0', method: 'notifications/tools/list_changed' });
    expect(kept.message).toEqual(log('kept'));
    expect(errors).toMatchObject([{ code: 'EVENTS_TRIMMED' }]);
    await sse.cancel();
    // It goes on from there as ever.
    await session.events.append('_GET_stream', log('new'));
    const resumed = await client.get({ 'last-event-id': kept.id });
    expect((await resumed.sse.message()).message).toEqual(log('new'));
    await resumed.cancel();
  });

  it('of a running request: the client gets what is left, and the answer', async () => {
    const { client, session, told, go } = await startTrimmed(line);
    const call = await client.callTool('work');
    const cursor = (await call.sse.next())?.id ?? '';
    await told;
    await call.cancel();
    const streamId = session.events.streamOf(cursor) ?? '';
    const [a] = (await session.events.recent(2, streamId)).map(({ id }) => id);
    await session.events.trim({ through: a ?? '' });
    const resumed = await client.get({ 'last-event-id': cursor });
    expect((await resumed.sse.message()).message).toEqual(log('b'));
    go();
    expect((await resumed.sse.message()).message).toHaveProperty('result');
    expect((await resumed.sse.rest()).filter(({ data }) => data)).toEqual([]);
  });

  it.each([7, 'seven', 'ä/"', 0])(
    'of a request whose answer was trimmed: the client gets an error for it, on any node: id %j',
    async (id) => {
      const { client, session, told, go, another, errors } = await startTrimmed(line);
      const call = await client.post({ ...client.toolCall('work'), id });
      const cursor = (await call.sse.next())?.id ?? '';
      await told;
      go();
      await call.sse.rest();
      const [last] = await session.events.recent(1, session.events.streamOf(cursor));
      await session.events.trim({ through: last?.id ?? '' });
      for (const restart of [false, true]) {
        if (restart) another();
        const resumed = await client.get({ 'last-event-id': cursor });
        expect(resumed.status).toBe(200);
        const frames = await resumed.sse.rest();
        expect(frames.map(({ data }) => JSON.parse(data ?? '') as unknown)).toEqual([
          {
            jsonrpc: '2.0',
            id,
            error: { code: -32603, message: 'Response is no longer kept: the client was away for too long' },
          },
        ]);
      }
      expect(errors).toHaveLength(2);
    },
  );

  it('of a request whose node is dead: the client gets an error for it', async () => {
    const { client, session, told, another, handler } = await startTrimmed(line);
    const call = await client.callTool('work');
    const cursor = (await call.sse.next())?.id ?? '';
    await told;
    const [, b] = (await session.events.recent(2, session.events.streamOf(cursor))).map((event) => event.id);
    another();
    const [opened] = (await session.events.recent(3, session.events.streamOf(cursor))).map((event) => event.id);
    await session.events.trim({ through: opened ?? '' });
    expect(b).toBeDefined();
    // The lease of its node ends with its handler.
    const closed = handler.close();
    const resumed = await client.get({ 'last-event-id': cursor });
    await eventually(() => resumed.status === 200);
    const answers = (await resumed.sse.rest()).filter(({ data }) => data?.includes('"error"'));
    expect(answers).toHaveLength(1);
    await closed;
  });
});
