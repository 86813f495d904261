import { setTimeout as pause } from 'node:timers/promises';
import { describe, expect, it } from 'vitest';
import { eventually, gate, start } from '../support/harness.ts';
import type { Json, TestServer, Tool } from '../support/line.ts';
import { lines } from '../support/lines.ts';
import { type Node, routed, startNodes } from '../support/nodes.ts';

/** Asks all that a server can ask, each time without naming the request that it is for. */
const ask: Tool = async ({ what }, _, server) =>
  JSON.stringify([
    await server.elicit(String(what)),
    await server.sample(String(what)),
    ((await server.listRoots()) as { roots: unknown[] }).roots.length,
  ]);

const answers = { onElicit: (asked: string) => ({ asked }), onSample: (asked: string) => asked };

/** A client whose standalone stream is refused, or broken after a while and never had again. */
const withoutStream = (gone: 'refused' | 'broken'): { readonly fetch: typeof fetch; readonly gets: number } => {
  const state = { gets: 0 };
  return {
    get gets() {
      return state.gets;
    },
    fetch: async (input, init) => {
      if (init?.method !== 'GET') return fetch(input, init);
      state.gets++;
      if (gone === 'refused') return new Response(null, { status: 405 });
      if (state.gets > 1) throw new TypeError('network is gone');
      const abort = new AbortController();
      const response = await fetch(input, { ...init, signal: abort.signal });
      setTimeout(() => abort.abort(), 20);
      return response;
    },
  };
};

describe.each(lines)('a handler that asks its client without naming the request, SDK $name', (line) => {
  it.each(['refused', 'broken'] as const)('gets its answers where the standalone stream is %s', async (gone) => {
    const { url, errors } = await start(line, { tools: { ask }, restartRetryMs: 20 });
    const stream = withoutStream(gone);
    const client = await line.connect(url, { ...answers, fetch: stream.fetch });
    if (gone === 'broken') await eventually(() => stream.gets === 3);
    expect(JSON.parse(await client.call('ask', { what: 'a' }))).toEqual([{ asked: 'a' }, 'a', 1]);
    await client.close();
    expect(errors).toEqual([]);
  });

  it('asks once, with the standalone stream open on another node or opened later', async () => {
    const opened = gate();
    const nodes = await startNodes(line, 2, {
      serve: () => ({
        tools: {
          ask: async (args, context, server) => {
            const first = await ask(args, context, server);
            await opened.passed;
            return JSON.stringify([first, await ask(args, context, server)]);
          },
        },
      }),
    });
    const [a] = nodes as [Node];
    const asked: string[] = [];
    const refuse = { now: true };
    const client = await line.connect(a.url, {
      onElicit: (what) => {
        asked.push(what);
        return {};
      },
      fetch: (input, init) =>
        init?.method === 'GET' && refuse.now
          ? Promise.resolve(new Response(null, { status: 503 }))
          : routed(nodes, () => (init?.method === 'GET' ? 1 : 0))(input, init),
    });
    const call = client.call('ask', { what: 'a' });
    await eventually(() => asked.length === 1);
    // What was asked is not asked again on a stream that is opened afterwards.
    refuse.now = false;
    const raw = nodes[1]?.raw({ 'mcp-session-id': client.sessionId, 'mcp-protocol-version': '2025-11-25' });
    const listening = await raw?.get();
    opened.open();
    await call;
    await pause(50);
    expect(asked).toEqual(['a', 'a']);
    const log = (await (await a.store.get(client.sessionId))?.events.recent(100)) ?? [];
    const questions = log.filter(({ message }) =>
      ['elicitation/create', 'sampling/createMessage', 'roots/list'].includes(String((message as Json)['method'])),
    );
    expect(questions).toHaveLength(6);
    expect(new Set(questions.map(({ streamId }) => streamId)).size).toBe(1);
    expect(questions[0]?.streamId).toMatch(/^req-/);
    await listening?.cancel();
    await client.close();
  });

  it.each(['answered', 'cancelled'])(
    'asks on the stream of its own call, and once that is %s on the standalone stream',
    async (how) => {
      const over = gate();
      const tools: TestServer['tools'] = {
        ask: async ({ what }, _, server) => JSON.stringify(await server.elicit(String(what))),
        later: async (_, __, server) => {
          const asking = over.passed.then(() => server.elicit('later'));
          asking.catch(() => undefined);
          if (how === 'cancelled') await asking;
          return 'answered';
        },
      };
      const { raw } = await start(line, { tools });
      const client = raw();
      await client.begin();
      const calls = await Promise.all(['a', 'b', 'c'].map((what) => client.callTool('ask', { what })));
      for (const [index, { sse }] of calls.entries()) {
        const { message } = await sse.message();
        expect(message).toMatchObject({ method: 'elicitation/create', params: { message: 'abc'[index] } });
        const result = { action: 'accept', content: { n: index } };
        expect((await client.post({ jsonrpc: '2.0', id: message['id'], result })).status).toBe(202);
        expect((await sse.message()).message).toMatchObject({ result: { content: [{ text: `{"n":${index}}` }] } });
      }
      const later = await client.callTool('later');
      if (how === 'cancelled') {
        await client.post({ jsonrpc: '2.0', method: 'notifications/cancelled', params: { requestId: 4 } });
      }
      await later.sse.rest();
      // Another call of the same id is not what led to it.
      const listening = await client.get();
      const again = await client.post({ ...client.toolCall('ask', { what: 'd' }), id: 4 });
      const question = await again.sse.message();
      over.open();
      expect((await listening.sse.message()).message).toMatchObject({ params: { message: 'later' } });
      await client.post({ jsonrpc: '2.0', id: question.message['id'], result: { action: 'decline' } });
      expect((await again.sse.rest()).filter(({ data }) => data)).toHaveLength(1);
      await listening.cancel();
    },
  );

  it('asks and withdraws the question on a stream that its client resumes', async () => {
    const { raw } = await start(line, {
      tools: {
        ask: async (_, { closeStream }, server) => {
          closeStream();
          await pause(20);
          return server.elicit('name?', 50).then(String, () => 'nobody');
        },
      },
    });
    const client = raw();
    await client.begin();
    const cursor = (await (await client.callTool('ask')).sse.rest()).find(({ id }) => id !== undefined)?.id;
    const { sse } = await client.get({ 'last-event-id': cursor });
    const { message } = await sse.message();
    expect(message).toMatchObject({ method: 'elicitation/create' });
    expect((await sse.message()).message).toMatchObject({ params: { requestId: message['id'] } });
    expect((await sse.message()).message).toMatchObject({ result: { content: [{ text: 'nobody' }] } });
    expect(await sse.next()).toBeUndefined();
  });
});
