import { describe, expect, it } from 'vitest';
import { eventually, gate, start } from '../support/harness.ts';
import type { Json, Tool } from '../support/line.ts';
import { lines } from '../support/lines.ts';
import { initialize } from '../support/raw.ts';

const ECHO = { echo: ({ text }: Json) => String(text) };
const BOTH = 'application/json, text/event-stream';

/** Accept headers by what they get; `undefined`: no header, which Node's fetch would fill in. */
const FORMS: Readonly<Record<'json' | 'stream' | '406', readonly string[]>> = {
  json: [
    '',
    '*/*',
    'application/json',
    'application/*',
    'Application/JSON ; charset=utf-8',
    'application/json, text/event-stream;q=0',
    'application/json, text/event-stream; q=0.000, */*',
    'application/json, text/plain, */*',
    'text/html, */*;q=0.1',
    '*/*;q=0, application/json',
    'text/*;q=0, */*',
  ],
  stream: [
    BOTH,
    'text/event-stream',
    'text/*',
    'application/*, text/*;q=0.1',
    'Application/JSON;q=0.001, TEXT/event-stream ; q=1',
    '*/*, text/event-stream',
    '*/*;q=0, application/json, text/event-stream',
    'application/json;q=0, text/event-stream, */*',
    'application/json;q=0, */*',
  ],
  '406': ['*/*;q=0', 'text/html', 'text/event-stream;q=0', 'application/json;q=0.0', 'application/xml, text/plain'],
};

/** The form of an answer to `initialize` or to a call. */
function formOf(response: { readonly status: number; readonly headers: Headers }): string {
  if (response.status !== 200) return String(response.status);
  return response.headers.get('content-type') === 'application/json' ? 'json' : 'stream';
}

describe.each(lines)('the form of answers, SDK $name', (line) => {
  it('rule 24: a whole answer is JSON for a client that does not list text/event-stream, and a stream for one that does', async () => {
    const { raw } = await start(line, { tools: ECHO });
    const client = raw();
    await client.begin();
    for (const [form, accepts] of Object.entries(FORMS)) {
      for (const accept of accepts) {
        const request = client.toolCall('echo', { text: 'hello' });
        const response = await client.post(request, { accept });
        expect([accept, formOf(response)]).toEqual([accept, form]);
        if (form === 'stream') {
          expect((await response.sse.message()).message).toMatchObject({ id: request.id });
        } else if (form === 'json') {
          expect(await response.json()).toMatchObject({ id: request.id, result: { content: [{ text: 'hello' }] } });
        } else expect((await response.error()).message).toBe(NEITHER);
        await response.cancel().catch(() => undefined);
      }
    }
  });

  it('rule 24: a session can be begun and used with one type alone, and a stream of GET needs text/event-stream', async () => {
    const { raw } = await start(line, { tools: ECHO });
    for (const accept of ['application/json', 'text/event-stream']) {
      const client = raw();
      const begun = await client.post(initialize(), { accept });
      expect(formOf(begun)).toBe(accept === 'application/json' ? 'json' : 'stream');
      const message = accept === 'application/json' ? await begun.json() : (await begun.sse.message()).message;
      expect(message).toMatchObject({ id: 'init', result: { serverInfo: { name: 'test' } } });
      client.headers['mcp-session-id'] = begun.headers.get('mcp-session-id') ?? '';
      expect((await client.post({ jsonrpc: '2.0', method: 'notifications/initialized' }, { accept })).status).toBe(202);
      const listening: (string | number)[] = [];
      for (const each of ['text/event-stream', '*/*', 'text/*', '', 'application/json', '*/*, text/*;q=0']) {
        const response = await client.get({ accept: each });
        listening.push(response.status);
        await response.cancel();
        await eventually(async () => (await client.get({ accept: 'text/plain' })).status === 406);
      }
      expect(listening.map((status) => (status === 409 ? 200 : status))).toEqual([200, 200, 200, 200, 406, 406]);
    }
  });

  it("with responses: 'json', each client that can read JSON gets it", async () => {
    const { raw } = await start(line, { tools: ECHO, responses: 'json' });
    const client = raw();
    await client.begin();
    for (const [accept, form] of [
      [BOTH, 'json'],
      ['text/event-stream', 'stream'],
      ['text/plain', '406'],
    ] as const) {
      expect(formOf(await client.post(client.toolCall('echo'), { accept }))).toBe(form);
    }
  });

  it("with responses: 'json', the SDK's own client works as ever, and answers questions on its standalone stream", async () => {
    const sum: Tool = async (_, { elicit, progress }) => {
      await progress(1);
      return JSON.stringify(await elicit('how many?'));
    };
    const { url, errors } = await start(line, { tools: { ...ECHO, sum }, responses: 'json' });
    const client = await line.connect(url, { onElicit: () => ({ n: 3 }) });
    expect(await client.call('echo', { text: 'hello' })).toBe('hello');
    await eventually(async () => (await client.call('sum')) === '{"n":3}');
    await client.close();
    expect(errors).toEqual([]);
  });

  it('a long call waits for its answer, which another client can resume meanwhile', async () => {
    const [begun, go] = [gate(), gate()];
    const wait: Tool = async (_, { notify }) => {
      await notify('notifications/message', { level: 'info', data: 'at work' });
      begun.open();
      await go.passed;
      return 'waited';
    };
    const { raw, store, another } = await start(line, { tools: { wait } });
    const client = raw();
    const session = await store.get(await client.begin());
    const request = client.toolCall('wait');
    const answer = client.post(request, { accept: 'application/json' });
    await begun.passed;
    const cursor = (await session?.events.recent())?.find(({ streamId }) => streamId.startsWith('req-'))?.id;
    another();
    const resumed = await client.get({ 'last-event-id': cursor });
    expect((await resumed.sse.message()).message).toMatchObject({ params: { data: 'at work' } });
    go.open();
    expect(await (await answer).json()).toMatchObject({ id: request.id, result: { content: [{ text: 'waited' }] } });
    expect((await resumed.sse.message()).message).toMatchObject({ id: request.id });
  });

  it('a batch gets an array with all answers', async () => {
    const { raw } = await start(line, { tools: ECHO });
    const client = raw();
    await client.begin('2025-03-26');
    const accept = { accept: 'application/json' };
    const [one, two] = [client.toolCall('echo', { text: '1' }), client.toolCall('echo', { text: '2' })];
    expect(await (await client.post([one, two], accept)).json()).toMatchObject([{ id: one.id }, { id: two.id }]);
    expect(await (await client.post([one], accept)).json()).toMatchObject([{ id: one.id }]);
  });

  it('a question of the handler goes to the standalone stream, or fails if none is open', async () => {
    const ask: Tool = async (_, { elicit }) => {
      try {
        return JSON.stringify(await elicit('how many?'));
      } catch (error) {
        return String(error);
      }
    };
    const { raw, another } = await start(line, { tools: { ask } });
    const client = raw();
    await client.begin();
    const call = async (): Promise<Json> =>
      (await client.post(client.toolCall('ask'), { accept: 'application/json' })).json();
    expect(JSON.stringify(await call())).toContain('Client cannot be asked: it reads the answer to its call as JSON');
    const listening = await client.get();
    // On the node that has the stream, and on another one.
    for (const move of [() => undefined, another]) {
      move();
      const answer = call();
      const { message } = await listening.sse.message();
      expect(message).toMatchObject({ method: 'elicitation/create', params: { message: 'how many?' } });
      await client.post({ jsonrpc: '2.0', id: message['id'], result: { action: 'accept', content: { n: 3 } } });
      expect(JSON.stringify(await answer)).toContain(String.raw`{\"n\":3}`);
    }
    await listening.cancel();
  });

  it('an answer that never comes is an error: the call was cancelled, its server stopped, or the session ended', async () => {
    const begun = [gate(), gate(), gate()];
    let calls = 0;
    const endless: Tool = async (_, { signal }) => {
      begun[calls++]?.open();
      await new Promise((resolve) => signal.addEventListener('abort', resolve));
      return 'too late';
    };
    const { raw, handler } = await start(line, { tools: { endless } });
    const accept = { accept: 'application/json' };
    const client = raw();
    await client.begin();
    const request = client.toolCall('endless');
    const cancelled = client.post(request, accept);
    await begun[0]?.passed;
    await client.post({ jsonrpc: '2.0', method: 'notifications/cancelled', params: { requestId: request.id } });
    expect(await (await cancelled).json()).toMatchObject({
      id: request.id,
      error: { message: 'Request was cancelled' },
    });

    const ended = client.post(client.toolCall('endless'), accept);
    await begun[1]?.passed;
    await client.delete();
    expect((await ended).status).toBe(404);

    const other = raw();
    await other.begin();
    const stopped = other.post(other.toolCall('endless'), accept);
    await begun[2]?.passed;
    await handler.close();
    expect((await (await stopped).error()).message).toContain('stopped');
  });
});

const NEITHER = 'Not Acceptable: Client must accept application/json or text/event-stream';
