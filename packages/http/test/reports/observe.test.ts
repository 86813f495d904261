import { createMemoryStore } from '@mcp-session/core/memory';
import { AsyncLocalStorage } from 'node:async_hooks';
import { describe, expect, it, onTestFinished, vi } from 'vitest';
import type { HandlerObserver } from '../../src/v2.ts';
import { eventually, gate, start } from '../support/harness.ts';
import { lines } from '../support/lines.ts';
import { Seen } from '../support/seen.ts';

const SECRET = 'the-text-of-a-call';
const TOKEN = 'https://id.example|ada@example.com|app-of-ada';

const tools = {
  echo: ({ text }: Record<string, unknown>) => String(text),
  fail: () => {
    throw new Error(SECRET);
  },
};

describe.each(lines)('the option observe, SDK $name', (line) => {
  it('gets a session from its beginning to its end, on two processes, without ids, principals or data', async () => {
    const seen = new Seen();
    const { raw, another } = await start(line, { tools, observe: seen.observe });
    const client = raw({ authorization: `Bearer ${TOKEN}` });
    const id = await client.begin();
    await (await client.callTool('echo', { text: SECRET })).sse.rest();
    another();
    await (await client.callTool('fail')).sse.rest();
    await client.delete();
    await (await client.callTool('echo')).cancel();

    const session = `${id.slice(0, 13)}…`;
    const protocolVersion = '2025-11-25';
    const named = { session, protocolVersion };
    const operation = { method: 'tools/call', meta: undefined, ...named };
    const echo = { ...operation, name: 'echo', requestId: '1' };
    const fail = { ...operation, name: 'fail', requestId: '2' };
    const initialize = { method: 'initialize', requestId: 'init' };
    const ms = expect.any(Number) as number;
    // SDK v1 makes an error of the protocol of it, v2 a result.
    const failed = seen.of('operation-ended').at(-1);
    expect(seen.all).toEqual([
      { type: 'operation-began', operation: expect.objectContaining(initialize) },
      { type: 'session-began', ...named },
      { type: 'session-held', session },
      expect.objectContaining({ type: 'operation-ended', error: undefined, hasAnswer: true, ...named }),
      { type: 'operation-began', operation: echo },
      {
        type: 'operation-ended',
        operation: echo,
        ...named,
        error: undefined,
        code: undefined,
        hasAnswer: true,
        durationMs: ms,
      },
      { type: 'session-restored', ...named, durationMs: ms },
      { type: 'session-held', session },
      { type: 'operation-began', operation: fail },
      expect.objectContaining({ type: 'operation-ended', operation: fail, durationMs: ms }),
      { type: 'session-released', session },
      { type: 'session-ended', ...named, cause: 'deleted', ageMs: ms },
      { type: 'refused', method: 'POST', status: 404, reason: 'session-not-found', code: undefined, session },
    ]);
    expect(failed?.error).toBe(failed?.code === undefined ? 'tool_error' : String(failed.code));
    const text = JSON.stringify(seen.all);
    for (const secret of [id, id.slice(14), SECRET, ...TOKEN.split('|')]) expect(text).not.toContain(secret);
  });

  it('each request ends once: answered, cancelled by its client, or interrupted by the end of the process', async () => {
    const seen = new Seen();
    const begun = [gate(), gate()];
    let calls = 0;
    const { raw, handler } = await start(line, {
      observe: seen.observe,
      tools: {
        wait: async (_, { signal }) => {
          begun[calls++]?.open();
          await new Promise((resolve) => signal.addEventListener('abort', resolve));
          return 'too late';
        },
      },
    });
    const client = raw();
    await client.begin();
    const cancelled = client.toolCall('wait');
    const first = await client.post(cancelled);
    await begun[0]?.passed;
    const params = { requestId: cancelled.id, reason: 'enough' };
    await client.post({ jsonrpc: '2.0', method: 'notifications/cancelled', params });
    await first.sse.rest();
    const second = await client.callTool('wait');
    await begun[1]?.passed;
    await handler.close();
    await second.sse.rest();

    expect(seen.ended).toEqual([
      ['tools/call', 'wait', 'cancelled', undefined, false],
      ['tools/call', 'wait', 'interrupted', undefined, false],
    ]);
    const [began, ended] = [seen.of('operation-began'), seen.of('operation-ended')];
    expect(ended.map(({ operation }) => operation)).toEqual(began.map(({ operation }) => operation));
    expect(seen.of('session-held')).toHaveLength(1);
    expect(seen.of('session-released')).toHaveLength(1);
  });

  it('runs a tool, and what it stores, in the context that the observer opens for it', async () => {
    const contexts = new AsyncLocalStorage<string>();
    const stored = new Set<string | undefined>();
    const store = await createMemoryStore({
      observe: ({ name }) => void (name === 'commitState' && stored.add(contexts.getStore())),
    });
    const { raw } = await start(line, {
      store,
      serve: (session) => ({
        tools: {
          which: async () => {
            await new Promise((resolve) => setImmediate(resolve));
            await session.state.set('a', 1);
            return contexts.getStore() ?? 'none';
          },
        },
      }),
      observe: (event) =>
        event.type === 'operation-began'
          ? (work: () => void) => contexts.run(String(event.operation.meta?.['traceparent']), work)
          : undefined,
    });
    const client = raw();
    await client.begin();
    const call = (traceparent: string) => ({
      ...client.toolCall('which'),
      params: { name: 'which', arguments: {}, _meta: { traceparent } },
    });
    const answers = await Promise.all(['00-a', '00-b'].map((each) => client.post(call(each))));
    const texts = await Promise.all(answers.map(({ sse }) => sse.message()));

    expect(texts.map(({ message }) => message['result'])).toEqual(
      ['00-a', '00-b'].map((text): unknown => expect.objectContaining({ content: [{ type: 'text', text }] })),
    );
    expect(stored).toEqual(new Set(['00-a', '00-b']));
  });

  it.each<[string, HandlerObserver]>([
    ['throws', () => expect.fail('from the observer')],
    ['rejects', () => Promise.reject(new Error('from the observer'))],
    ['never resolves', () => new Promise(() => undefined)],
    ['returns a runner that throws', () => () => expect.fail('from the observer')],
    ['returns a runner that rejects', () => () => Promise.reject(new Error('from the observer'))],
    ['returns a runner that does nothing', () => () => undefined],
    [
      'returns a runner that works twice and later',
      () => (work: () => void) => {
        work();
        work();
        setImmediate(work);
      },
    ],
    ['returns a runner that works too late', () => (work: () => void) => void setImmediate(work)],
  ])('an observer that %s changes nothing: each call runs once', async (_, observe) => {
    const warn = vi.spyOn(process, 'emitWarning').mockImplementation(() => undefined);
    onTestFinished(() => warn.mockRestore());
    let calls = 0;
    const { raw, errors } = await start(line, { tools: { count: () => String(++calls) }, observe });
    const client = raw();
    await client.begin();
    expect(JSON.stringify(await (await client.callTool('count')).sse.rest())).toContain('\\"text\\":\\"1\\"');
    expect((await client.delete()).status).toBe(204);
    await new Promise((resolve) => setImmediate(resolve));

    expect([calls, errors]).toEqual([1, []]);
    for (const [text] of warn.mock.calls) expect(text).toContain('The observer of a session handler threw');
    // Each cause once a minute.
    expect(warn.mock.calls.length).toBeLessThanOrEqual(1);
  });

  it('gets each stream that is open, how far behind its client resumes, and how long messages take', async () => {
    // All in one millisecond, so that no time tells what was stored before a stream was opened.
    vi.useFakeTimers({ toFake: ['Date'] });
    onTestFinished(() => void vi.useRealTimers());
    const seen = new Seen();
    const { raw, handler } = await start(line, { tools, observe: seen.observe });
    const client = raw();
    const id = await client.begin();
    const session = `${id.slice(0, 13)}…`;
    const listening = await client.get();
    await handler.broadcast({ method: 'notifications/tools/list_changed' });
    const { id: cursor } = await listening.sse.message();
    await listening.cancel();
    await eventually(() => seen.of('stream-closed').length === 1);
    for (let count = 0; count < 3; count++) {
      await handler.broadcast({ method: 'notifications/tools/list_changed' });
    }
    const resumed = await client.get({ 'last-event-id': cursor });
    for (let count = 0; count < 3; count++) await resumed.sse.message();
    await resumed.cancel();
    await eventually(() => seen.of('stream-closed').length === 2);

    const stream = 'standalone';
    expect(seen.of('stream-opened')).toEqual([
      { type: 'stream-opened', session, stream, resumedBehind: undefined },
      { type: 'stream-opened', session, stream, resumedBehind: 3 },
    ]);
    // What waited for its client is no lag of this process.
    expect(seen.of('delivered')).toEqual([{ type: 'delivered', session, stream, lagMs: 0 }]);
  });

  it('gets requests and streams without a session', async () => {
    const seen = new Seen();
    const go = gate();
    const slow = async (): Promise<string> => {
      await go.passed;
      return 'done';
    };
    const { raw } = await start(line, {
      observe: seen.observe,
      withoutSession: 'stateless',
      stateless: () => ({ tools: { slow } }),
    });
    const call = await raw().callTool('slow');
    go.open();
    await call.sse.rest();
    await eventually(() => seen.of('stream-closed').length === 1);

    expect(seen.ended).toEqual([['tools/call', 'slow', undefined, undefined, true]]);
    expect(seen.of('stream-opened')).toMatchObject([{ session: undefined, stream: 'request' }]);
  });
});
