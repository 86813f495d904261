import { setTimeout as pause } from 'node:timers/promises';
import { describe, expect, it } from 'vitest';
import { gate, start } from '../support/harness.ts';
import type { Json, Line, TestAuth, Tool } from '../support/line.ts';
import { lines } from '../support/lines.ts';
import { SseReader } from '../support/raw.ts';

/** How long a token is good for here: what is promised at the least. */
const TOKEN_MS = 1_000;

const log = (data: unknown): Json => ({
  jsonrpc: '2.0',
  method: 'notifications/message',
  params: { level: 'info', data },
});

/** A session of a client whose tokens expire soon. */
async function begin(
  line: Line,
  tool: Tool,
  revision?: string,
): Promise<{
  readonly say: (data: unknown) => Promise<unknown>;
  readonly get: (cursor?: string) => Promise<SseReader>;
  readonly call: () => Promise<SseReader>;
  readonly errors: readonly unknown[];
}> {
  const { store, handler, url, raw, errors } = await start(line, { tools: { tool }, principal: () => 'me' });
  const client = raw();
  const session = await store.get(await client.begin(revision), { principal: 'me' });
  const send = async (init: RequestInit): Promise<SseReader> => {
    const expiresAt = (Date.now() + TOKEN_MS) / 1_000;
    const authInfo: TestAuth & { expiresAt: number } = { token: 't', clientId: 'c', scopes: [], expiresAt };
    const response = await handler.fetch(new Request(url, init), { authInfo });
    expect(response.status).toBe(200);
    return new SseReader(response.body as ReadableStream<Uint8Array>);
  };
  const accept = 'application/json, text/event-stream';
  const headers = (): Record<string, string> => ({ ...client.headers, accept, 'content-type': 'application/json' });
  return {
    errors,
    say: async (data) => session?.events.append('_GET_stream', log(data)),
    get: (cursor) => send({ headers: { ...headers(), ...(cursor !== undefined && { 'last-event-id': cursor }) } }),
    call: () => send({ method: 'POST', headers: headers(), body: JSON.stringify(client.toolCall('tool')) }),
  };
}

/** Reads until the server ends the response. */
async function toEnd(
  sse: SseReader,
): Promise<{ readonly said: unknown[]; readonly cursor: string; readonly retry: number | undefined }> {
  const frames = await sse.rest();
  const messages = frames
    .filter(({ data }) => data)
    .map(({ data }) => JSON.parse(data ?? '') as { params?: Json; id?: unknown });
  return {
    said: messages.map(({ params, id }) => params?.['data'] ?? id),
    cursor: frames.findLast(({ id }) => id !== undefined)?.id ?? '',
    retry: frames.at(-1)?.retry,
  };
}

describe.each(lines)('a token that expires, SDK $name', (line) => {
  it('ends the streams that it opened, and a client that returns with a new token loses nothing', async () => {
    const answer = gate();
    const { say, get, call, errors } = await begin(line, async (_, { notify }) => {
      await notify('notifications/message', { level: 'info', data: 'working' });
      await answer.passed;
      return 'answered';
    });
    await say(1);
    const [listening, calling] = [await get(), await call()];
    const [heard, worked] = await Promise.all([toEnd(listening), toEnd(calling)]);
    expect([heard, worked]).toMatchObject([
      { said: [1], retry: 1_000 },
      { said: ['working'], retry: 1_000 },
    ]);
    await say(2);
    const [again, resumed] = [await get(heard.cursor), await get(worked.cursor)];
    // It goes on with each token, and ends with each.
    const [more, still] = await Promise.all([toEnd(again), toEnd(resumed)]);
    expect([more, still]).toMatchObject([
      { said: [2], retry: 1_000 },
      { said: [], retry: 1_000 },
    ]);
    answer.open();
    expect((await toEnd(await get(worked.cursor))).said).toEqual([1]);
    expect(errors).toEqual([]);
  });

  it('does not end the call of a client that could not return', async () => {
    const { call } = await begin(
      line,
      async () => {
        await pause(TOKEN_MS + 300);
        return 'answered';
      },
      '2025-06-18',
    );
    expect((await toEnd(await call())).said).toEqual([1]);
  });
});

it('a connection that outlives its token does not renew the session afterwards', async () => {
  const [answer, calls] = [gate(), new Set<string>()];
  const [line] = lines as [Line];
  const { handler, url, raw } = await start(line, {
    tools: { wait: () => answer.passed.then(() => 'x') },
    keepAliveMs: 20,
    principal: () => 'me',
    memory: { touchIntervalMs: 1, observe: ({ name }) => void calls.add(name) },
  });
  const client = raw();
  await client.begin('2025-06-18');
  const accept = 'application/json, text/event-stream';
  const headers = { ...client.headers, accept, 'content-type': 'application/json' };
  // A verifier may accept a token for a while after its expiry.
  for (const [expiresAt, renews] of [
    [1, false],
    [9_999_999_999, true],
  ] as const) {
    const authInfo: TestAuth & { expiresAt: number } = { token: 't', clientId: 'c', scopes: [], expiresAt };
    const body = JSON.stringify(client.toolCall('wait'));
    const response = await handler.fetch(new Request(url, { method: 'POST', headers, body }), { authInfo });
    const sse = new SseReader(response.body as ReadableStream<Uint8Array>);
    const comments = async (count: number): Promise<void> => {
      for (let seen = 0; seen < count;) if ((await sse.next())?.comment !== undefined) seen++;
    };
    // By then, everything was read that is read for a call.
    await comments(10);
    calls.clear();
    await comments(10);
    expect(calls.has('touchSession')).toBe(renews);
    await sse.cancel();
  }
  answer.open();
});
