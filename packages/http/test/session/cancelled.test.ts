import { describe, expect, it } from 'vitest';
import { eventually, gate, start } from '../support/harness.ts';
import type { Json, Tool } from '../support/line.ts';
import { lines } from '../support/lines.ts';
import type { RawClient } from '../support/raw.ts';

const ask: Tool = async ({ timeoutMs }, { elicit }) => JSON.stringify(await elicit('name?', Number(timeoutMs)));

const cancelling = (requestId: unknown): Json => ({
  jsonrpc: '2.0',
  method: 'notifications/cancelled',
  params: { requestId },
});

describe.each(lines)('a question of a call that has ended, SDK $name', (line) => {
  it('a session can be evicted after its client cancelled a call that had asked a question', async () => {
    const { raw, handler, errors } = await start(line, { maxLocalSessions: 5, localIdleMs: 100, tools: { ask } });
    const askAndCancel = async (client: RawClient): Promise<void> => {
      await client.begin();
      const call = client.toolCall('ask', { timeoutMs: 200 });
      const { sse } = await client.post(call);
      await sse.message();
      await client.post(cancelling(call.id));
      await sse.rest();
    };
    await Promise.all(Array.from({ length: 30 }, () => askAndCancel(raw())));
    await eventually(() => handler.localSessions === 0);
    expect(errors).toEqual([]);
  });

  it('handler and client learn once that the question is cancelled, the client on the stream of the question', async () => {
    const failed = gate<unknown>();
    const { raw, store } = await start(line, {
      tools: {
        ask: async (_, { elicit }) => {
          await elicit('name?').catch(failed.open);
          return 'over';
        },
      },
    });
    const client = raw();
    const session = await store.get(await client.begin());
    const call = client.toolCall('ask');
    const { sse } = await client.post(call);
    const { message: question } = await sse.message();
    expect((await client.post(cancelling(call.id))).status).toBe(202);
    expect(String(await failed.passed)).toMatch(/cancel|abort/i);
    const rest = (await sse.rest()).filter(({ data }) => data).map(({ data }) => JSON.parse(data ?? '') as Json);
    expect(rest).toMatchObject([cancelling(question['id'])]);
    const log = (await session?.events.recent(100)) ?? [];
    const said = log.filter(({ message }) => (message as Json)['method'] === 'notifications/cancelled');
    expect(said).toHaveLength(1);
    // An answer that was under way finds nobody.
    expect((await client.post({ jsonrpc: '2.0', id: question['id'], result: { action: 'decline' } })).status).toBe(202);
  });

  it('a question that outlives its call can be answered, and its timeout reaches the client', async () => {
    const asked: unknown[] = [];
    const { raw, handler } = await start(line, {
      localIdleMs: 100,
      tools: {
        later: ({ timeoutMs }, { elicit }) => {
          elicit('name?', Number(timeoutMs)).then(
            (content) => asked.push(content),
            () => asked.push('too late'),
          );
          return 'asked';
        },
      },
    });
    const client = raw();
    await client.begin();
    const listening = await client.get();
    const questions: unknown[] = [];
    for (const timeoutMs of [60_000, 200]) {
      const { sse } = await client.callTool('later', { timeoutMs });
      const messages = [await sse.message(), await sse.message()].map(({ message }) => message);
      questions.push(messages.find((message) => 'method' in message)?.['id']);
    }
    await client.post({ jsonrpc: '2.0', id: questions[0], result: { action: 'accept', content: { name: 'Ada' } } });
    expect((await listening.sse.message()).message).toMatchObject(cancelling(questions[1]));
    await listening.cancel();
    await eventually(() => handler.localSessions === 0);
    expect(asked).toHaveLength(2);
    expect(asked).toEqual(expect.arrayContaining([{ name: 'Ada' }, 'too late']));
  });
});
