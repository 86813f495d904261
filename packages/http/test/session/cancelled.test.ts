import { describe, expect, it } from 'vitest';
import { eventually, gate, start } from '../support/harness.ts';
import type { Json, ServerPort, Tool } from '../support/line.ts';
import { lines } from '../support/lines.ts';
import type { RawClient, RawResponse } from '../support/raw.ts';

const HOUR_MS = 3_600_000;

const cancelling = (requestId: unknown): Json => ({
  jsonrpc: '2.0',
  method: 'notifications/cancelled',
  params: { requestId },
});

const decline = (id: unknown): Json => ({ jsonrpc: '2.0', id, result: { action: 'decline' } });

/** The messages of a stream from here to its end. */
const messagesOf = async ({ sse }: RawResponse): Promise<Json[]> =>
  (await sse.rest()).flatMap(({ data }) => (data ? [JSON.parse(data) as Json] : []));

/** A tool that asks, and answers once it may without waiting for the client's answer. */
const asking =
  (how: 'naming' | 'not naming', over: Promise<void>, failed: (error: unknown) => void): Tool =>
  async (_, context, server) => {
    const question = (how === 'naming' ? context : server).elicit('name?', HOUR_MS);
    question.catch(failed);
    await Promise.race([question, over]);
    return 'over';
  };

describe.each(lines)('a question of a call that has ended, SDK $name', (line) => {
  it.each(['cancelled', 'answered'])(
    'rule 38: a session can be evicted after a call was %s that had asked a question',
    async (how) => {
      const over = gate();
      const { raw, handler, errors } = await start(line, {
        maxLocalSessions: 5,
        localIdleMs: 100,
        tools: { ask: asking('naming', over.passed, () => undefined) },
      });
      const ask = async (client: RawClient) => {
        await client.begin();
        const call = client.toolCall('ask');
        const response = await client.post(call);
        expect((await response.sse.message()).message).toMatchObject({ method: 'elicitation/create' });
        return { client, call, response };
      };
      const asked = await Promise.all(Array.from({ length: 30 }, () => ask(raw())));
      if (how === 'answered') over.open();
      else await Promise.all(asked.map(({ client, call }) => client.post(cancelling(call.id))));
      await Promise.all(asked.map(({ response }) => response.sse.rest()));
      await eventually(() => handler.localSessions === 0);
      expect(errors).toEqual([]);
    },
  );

  it.each([
    ['cancelled', 'naming'],
    ['answered', 'naming'],
    ['answered', 'not naming'],
  ] as const)(
    'rule 38: handler and client learn once that it has ended, where it was asked: call %s, asked by %s it',
    async (how, names) => {
      const [over, failed] = [gate(), gate<unknown>()];
      const { raw, store } = await start(line, { tools: { ask: asking(names, over.passed, failed.open) } });
      const client = raw();
      const session = await store.get(await client.begin());
      const call = client.toolCall('ask');
      const response = await client.post(call);
      const { id: cursor, message: question } = await response.sse.message();
      if (how === 'cancelled') expect((await client.post(cancelling(call.id))).status).toBe(202);
      else over.open();
      expect(String(await failed.passed)).toMatch(/cancel|abort|answered/i);
      const rest = [cancelling(question['id']), ...(how === 'answered' ? [{ id: call.id, result: {} }] : [])];
      expect(await messagesOf(response)).toMatchObject(rest);
      const log = (await session?.events.recent(100)) ?? [];
      const said = log.filter(({ message }) => (message as Json)['method'] === 'notifications/cancelled');
      expect(said).toHaveLength(1);
      // A client that was away learns the same, and what it answers finds nobody.
      if (how === 'answered') {
        expect(await messagesOf(await client.get({ 'last-event-id': cursor }))).toMatchObject(rest);
      }
      expect((await client.post(decline(question['id']))).status).toBe(202);
    },
  );

  it('rule 38: a client that reads JSON learns it on its standalone stream', async () => {
    const [over, failed] = [gate(), gate<unknown>()];
    const { raw } = await start(line, { tools: { ask: asking('naming', over.passed, failed.open) } });
    const client = raw();
    await client.begin();
    const listening = await client.get();
    const answer = client.post(client.toolCall('ask'), { accept: 'application/json' });
    const { message: question } = await listening.sse.message();
    expect(question).toMatchObject({ method: 'elicitation/create' });
    over.open();
    expect((await listening.sse.message()).message).toMatchObject(cancelling(question['id']));
    expect(await (await answer).json()).toMatchObject({ result: { content: [{ text: 'over' }] } });
    await failed.passed;
    await listening.cancel();
  });

  it('a question that no call has asked outlives calls, and its timeout reaches the client', async () => {
    let port: ServerPort | undefined;
    const { raw, handler } = await start(line, {
      localIdleMs: 100,
      serve: () => ({ tools: { echo: () => 'x' }, onCreated: (created) => (port = created) }),
    });
    const client = raw();
    await client.begin();
    const listening = await client.get();
    const asked = port?.elicit('name?', HOUR_MS);
    const late = port?.elicit('name?', 200).catch(() => 'too late');
    const [first, second] = [await listening.sse.message(), await listening.sse.message()].map(
      ({ message }) => message,
    );
    await (await client.callTool('echo')).sse.rest();
    await client.post({ jsonrpc: '2.0', id: first?.['id'], result: { action: 'accept', content: { name: 'Ada' } } });
    expect(await asked).toEqual({ name: 'Ada' });
    expect((await listening.sse.message()).message).toMatchObject(cancelling(second?.['id']));
    expect(await late).toBe('too late');
    await listening.cancel();
    await eventually(() => handler.localSessions === 0);
  });
});
