import { once } from 'node:events';
import { describe, expect, it } from 'vitest';
import { eventually, gate, start } from '../support/harness.ts';
import type { Json, ServerPort, Tool } from '../support/line.ts';
import { lines } from '../support/lines.ts';
import { recordOf } from '../support/record.ts';

const said = (data: unknown) => ({ method: 'notifications/message', params: { level: 'info', data } });
const has =
  (data: unknown) =>
  ({ params }: { readonly params: Json }): boolean =>
    params['data'] === data;

/** Counts what a client asks for over HTTP. */
function counting(): { readonly fetch: typeof fetch; readonly sent: string[]; readonly statuses: number[] } {
  const sent: string[] = [];
  const statuses: number[] = [];
  return {
    sent,
    statuses,
    fetch: async (input, init) => {
      const cursor = new Headers(init?.headers).get('last-event-id');
      sent.push(`${init?.method ?? 'GET'}${cursor === null ? '' : ' resume'}`);
      const response = await fetch(input, init);
      statuses.push(response.status);
      return response;
    },
  };
}

describe.each(lines)('a real client of SDK $name', (line) => {
  it('loses nothing when its connections are cut in the middle of a call', async () => {
    const [half, go] = [gate(), gate()];
    let port: ServerPort | undefined;
    const work: Tool = async (_, { progress }) => {
      for (let i = 1; i <= 5; i++) await progress(i);
      half.open();
      await go.passed;
      for (let i = 6; i <= 10; i++) await progress(i);
      return 'worked';
    };
    const { url, served } = await start(line, {
      restartRetryMs: 20,
      serve: () => ({ tools: { work }, onCreated: (created) => (port = created) }),
    });
    const client = await line.connect(url);
    await port?.notify('notifications/message', said('before').params);
    await client.until(has('before'));
    const progress: number[] = [];
    const result = client.call('work', {}, { onProgress: (n) => progress.push(n) });
    await half.passed;
    await eventually(() => progress.length === 5);
    served.cut();
    await port?.notify('notifications/message', said('while cut').params);
    go.open();
    expect(await result).toBe('worked');
    await client.until(has('while cut'));
    expect(progress).toEqual([1, 2, 3, 4, 5, 6, 7, 8, 9, 10]);
    expect(client.received).toEqual([said('before'), said('while cut')]);
    await client.close();
  });

  it('continues its session, state and streams after a restart, and answers new questions', async () => {
    const { url, served, another } = await start(line, {
      restartRetryMs: 20,
      serve: ({ state }) => ({
        tools: {
          add: async ({ note }) =>
            JSON.stringify(await state.update('notes', (notes: unknown = []) => [...(notes as string[]), note])),
          ask: async (_, { elicit }) => JSON.stringify(await elicit('name?')),
        },
      }),
    });
    const client = await line.connect(url, { onElicit: () => ({ name: 'Ada' }) });
    expect(await client.call('add', { note: 'a' })).toBe('["a"]');
    another();
    const back = once(served.server, 'request');
    served.cut();
    await back;
    expect(await client.call('add', { note: 'b' })).toBe('["a","b"]');
    expect(await client.call('ask')).toBe('{"name":"Ada"}');
    await client.close();
  });

  it('rule 18: polls when the server closes its connections, and misses nothing', async () => {
    const [closed, go] = [gate(), gate()];
    const poll: Tool = async (_, { closeStream, closeStandaloneStream, progress }, server) => {
      await progress(1);
      closeStream();
      closeStandaloneStream();
      closed.open();
      await go.passed;
      await server.notify('notifications/message', said('standalone').params);
      await progress(2);
      return 'polled';
    };
    const { url, store } = await start(line, { retryIntervalMs: 30, tools: { poll } });
    const { fetch, sent } = counting();
    const client = await line.connect(url, { fetch });
    await eventually(async () => (await recordOf(store, client.sessionId)).nodeId !== undefined);
    const progress: number[] = [];
    const result = client.call('poll', {}, { onProgress: (n) => progress.push(n) });
    await closed.passed;
    await eventually(() => sent.filter((each) => each === 'GET resume').length === 2);
    go.open();
    expect(await result).toBe('polled');
    await client.until(has('standalone'));
    expect(progress).toEqual([1, 2]);
    expect(client.received).toHaveLength(1);
    expect(client.errors).toEqual([]);
    await client.close();
  });

  it('does not reconnect forever after an error', async () => {
    const fail: Tool = () => {
      throw new Error('it failed');
    };
    const { url } = await start(line, { retryIntervalMs: 10, tools: { fail } });
    const { fetch, sent, statuses } = counting();
    const client = await line.connect(url, { fetch });
    await expect(client.call('fail')).rejects.toThrow('it failed');
    await new Promise((resolve) => setTimeout(resolve, 150));
    // SDK v1 comes back once after an error, and learns that there is nothing more.
    expect(sent.filter((each) => each === 'GET resume').length).toBeLessThanOrEqual(1);
    expect(statuses.filter((status) => status >= 400)).toEqual([]);
    await client.close();
  });

  it('ends its session, and gets 404 from then on', async () => {
    const { url, store } = await start(line, { tools: { echo: () => 'x' } });
    const client = await line.connect(url);
    expect(await store.count()).toBe(1);
    await client.terminate();
    expect(await store.count()).toBe(0);
    await client.close();
  });

  it('can cancel a call and go on', async () => {
    const [begun, aborted] = [gate(), gate()];
    const wait: Tool = async (_, { signal }) => {
      signal.addEventListener('abort', () => aborted.open());
      begun.open();
      await aborted.passed;
      return 'too late';
    };
    const { url } = await start(line, { tools: { wait, echo: () => 'x' } });
    const client = await line.connect(url);
    const abort = new AbortController();
    const result = client.call('wait', {}, { signal: abort.signal });
    await begun.passed;
    abort.abort('changed my mind');
    await expect(result).rejects.toThrow('changed my mind');
    await aborted.passed;
    expect(await client.call('echo')).toBe('x');
    await client.close();
  });

  it('two clients of one server get nothing of each other', async () => {
    const ports: ServerPort[] = [];
    const { url } = await start(line, {
      serve: ({ state }) => ({
        tools: { count: async () => String(await state.update('n', (n: unknown = 0) => Number(n) + 1)) },
        onCreated: (port) => ports.push(port),
      }),
    });
    const [first, second] = [await line.connect(url), await line.connect(url)];
    await ports[0]?.notify('notifications/message', said('to the first').params);
    await ports[1]?.notify('notifications/message', said('to the second').params);
    expect([await first.call('count'), await second.call('count'), await first.call('count')]).toEqual(['1', '1', '2']);
    await Promise.all([first.until(has('to the first')), second.until(has('to the second'))]);
    expect([first.received.length, second.received.length]).toEqual([1, 1]);
    await Promise.all([first.close(), second.close()]);
  });
});
