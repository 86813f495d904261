import { createSessionStore } from '@mcp-session/core/backend';
import { describe, expect, it } from 'vitest';
import { failingBackend } from '../support/failing-backend.ts';
import { eventually, gate, type Harness, start } from '../support/harness.ts';
import { lines } from '../support/lines.ts';
import { initialize, type RawClient } from '../support/raw.ts';
import type { Line, ServerPort, Tool } from '../support/line.ts';

async function startFailing(line: Line) {
  const { backend, ...switches } = failingBackend();
  const [begun, go] = [gate(), gate()];
  const store = await createSessionStore(backend);
  let calls = 0;
  const echo = (): string => {
    calls++;
    return 'x';
  };
  const wait = async (): Promise<string> => {
    begun.open();
    await go.passed;
    return 'waited';
  };
  const servers: ServerPort[] = [];
  const tools = { echo, wait, large: () => 'x'.repeat(1_048_576) };
  const harness: Harness = await start(line, {
    store,
    holdMs: 0,
    serve: () => ({ tools, onCreated: (server) => void servers.push(server) }),
  });
  const client: RawClient = harness.raw();
  const id = await client.begin();
  return {
    ...harness,
    ...switches,
    client,
    id,
    begun: begun.passed,
    go: go.open,
    calls: () => calls,
    server: () => lastOf(servers),
  };
}

function lastOf<T>(values: readonly T[]): T {
  const last = values.at(-1);
  if (last === undefined) throw new Error('There is none');
  return last;
}

describe.each(lines)('a store that fails, SDK $name', (line) => {
  it('requests get 503 with Retry-After and no details, and are served again when the store works', async () => {
    const { client, raw, fail, heal, errors } = await startFailing(line);
    fail(['readSession', 'createSession']);
    for (const response of [await client.callTool('echo'), await client.get(), await client.delete()]) {
      expect([response.status, response.headers.get('retry-after')]).toEqual([503, '2']);
      expect(JSON.stringify(await response.json())).not.toContain('secret-host');
    }
    expect((await raw().post(initialize())).status).toBe(503);
    expect(errors).toMatchObject(Array.from({ length: 4 }, () => ({ code: 'STORE_UNAVAILABLE' })));
    heal();
    expect((await client.callTool('echo')).status).toBe(200);
  });

  it('a request whose stream cannot be stored is a 503; while the store is known to fail, no request runs', async () => {
    const { client, fail, heal, calls, errors } = await startFailing(line);
    fail(['appendEvents']);
    const first = await client.callTool('echo');
    expect([first.status, first.headers.get('retry-after')]).toEqual([503, '2']);
    expect((await first.error()).message).toBe('Session store failed while the request was handled');
    expect(calls()).toBe(1);
    const second = await client.callTool('echo');
    expect((await second.error()).message).toBe('Session store is unavailable');
    expect(second.status).toBe(503);
    expect(calls()).toBe(1);
    expect(errors).toMatchObject([{ code: 'STORE_UNAVAILABLE' }, { code: 'STORE_UNAVAILABLE' }]);
    heal();
    expect((await (await client.callTool('echo')).sse.rest()).at(-1)?.data).toContain('"x"');
    expect(calls()).toBe(2);
  });

  it('a handler whose stream cannot be stored is aborted', async () => {
    const { backend, fail } = failingBackend();
    const aborted = gate();
    const wait: Tool = async (_, { signal }) => {
      signal.addEventListener('abort', () => aborted.open());
      await aborted.passed;
      return 'too late';
    };
    const { raw, errors } = await start(line, { store: await createSessionStore(backend), tools: { wait } });
    const client = raw();
    await client.begin();
    fail(['appendEvents']);
    expect((await client.callTool('wait')).status).toBe(503);
    await aborted.passed;
    expect(errors).toHaveLength(1);
  });

  it('an answer is stored after the store was busy for a while', async () => {
    const { client, fail, begun, go, errors } = await startFailing(line);
    const call = await client.callTool('wait');
    await begun;
    fail(['appendEvents'], 2, { retryable: true });
    go();
    expect((await call.sse.message()).message).toMatchObject({ result: { content: [{ text: 'waited' }] } });
    expect(errors).toEqual([]);
  });

  it('an answer that is ready before its stream is stored after the store was busy', async () => {
    const { client, fail, errors, calls } = await startFailing(line);
    fail(['appendEvents'], 2, { retryable: true });
    const frames = await (await client.callTool('echo')).sse.rest();
    expect(frames.filter(({ data }) => data)).toMatchObject([{ data: expect.stringContaining('"x"') }]);
    const resumed = await client.get({ 'last-event-id': frames[0]?.id ?? '' });
    // It is in the log: nothing follows it.
    expect(resumed.status).toBe(204);
    expect([calls(), errors]).toEqual([1, []]);
  });

  it('rule 16: an answer that cannot be stored is not sent: the client gets an error without an event id, at once or when it comes back', async () => {
    for (const connected of [true, false]) {
      const { client, fail, heal, begun, go, errors } = await startFailing(line);
      const call = await client.callTool('wait');
      const cursor = (await call.sse.next())?.id ?? '';
      await begun;
      if (!connected) await call.cancel();
      fail(['appendEvents']);
      go();
      if (connected) {
        const { id, message } = await call.sse.message();
        expect([id, message]).toMatchObject(['', { error: { message: 'Answer could not be stored' } }]);
        expect(await call.sse.next()).toBeUndefined();
      }
      await expect.poll(() => errors).toMatchObject([{ code: 'STORE_UNAVAILABLE' }]);
      heal();
      const resumed = await client.get({ 'last-event-id': cursor });
      expect((await resumed.sse.message()).message).toMatchObject({ error: { code: -32_603 } });
      expect(await resumed.sse.next()).toBeUndefined();
    }
  });

  it('a message outside of requests never rejects, because the SDKs do not handle the rejection', async () => {
    const { client, fail, heal, errors, server } = await startFailing(line);
    fail(['appendEvents']);
    await server().notify('notifications/tools/list_changed', {});
    expect(errors).toMatchObject([{ code: 'STORE_UNAVAILABLE' }]);
    heal();
    const { sse } = await client.get();
    await server().notify('notifications/resources/list_changed', {});
    expect((await sse.message()).message).toMatchObject({ method: 'notifications/resources/list_changed' });
  });

  it('a message of a server whose session ended elsewhere closes it and is no error', async () => {
    const { store, handler, id, errors, server } = await startFailing(line);
    await (await store.get(id))?.end();
    expect(handler.localSessions).toBe(1);
    await server().notify('notifications/tools/list_changed', {});
    expect(handler.localSessions).toBe(0);
    expect(errors).toEqual([]);
  });

  it('an answer that is too large for the store is sent once, and reported', async () => {
    const { client, errors } = await startFailing(line);
    const { sse } = await client.callTool('large');
    const cursor = (await sse.next())?.id ?? '';
    const { id, message } = await sse.message();
    expect(id).toBe('');
    expect(message).toHaveProperty('result');
    expect(await sse.rest()).toEqual([]);
    expect(errors).toMatchObject([{ code: 'EVENT_TOO_LARGE' }]);
    const again = await (await client.get({ 'last-event-id': cursor })).sse.message();
    expect(again.message).toMatchObject({ error: { message: expect.stringContaining('Answer was not kept: ') } });
  });

  it('a stream that cannot be read is broken off, and resumes when the store works', async () => {
    const { client, fail, heal, begun, go } = await startFailing(line);
    const call = await client.callTool('wait');
    const cursor = (await call.sse.next())?.id ?? '';
    await call.sse.next();
    await begun;
    fail(['readEvents', 'readHeads']);
    go();
    await expect(call.sse.next()).rejects.toThrow('terminated');
    heal();
    const resumed = await client.get({ 'last-event-id': cursor });
    expect((await resumed.sse.message()).message).toMatchObject({ result: { content: [{ text: 'waited' }] } });
  });

  it('after an outage, a running handler learns of the end of its session', async () => {
    const aborted = gate();
    const { backend, fail, heal } = failingBackend();
    const store = await createSessionStore(backend);
    const wait: Tool = async (_, { signal }) => {
      signal.addEventListener('abort', () => aborted.open());
      await aborted.passed;
      return 'too late';
    };
    const { raw, errors } = await start(line, { store, tools: { wait } });
    const client = raw();
    const id = await client.begin();
    const call = await client.callTool('wait');
    await call.cancel();
    fail(['readEvents'], Number.POSITIVE_INFINITY, { retryable: true });
    await eventually(async () => {
      // Its handler reads when something was appended.
      await (await store.get(id))?.events.append('_GET_stream', {});
      return errors.length > 0;
    });
    heal();
    await (await store.get(id))?.end();
    await aborted.passed;
    expect(errors[0]).toMatchObject({ code: 'STORE_UNAVAILABLE' });
  });
});
