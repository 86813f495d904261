import { describe, expect, it } from 'vitest';
import { eventually, gate, start } from '../support/harness.ts';
import type { ServerPort, TestServer, Tool } from '../support/line.ts';
import { lines } from '../support/lines.ts';

const log = (data: string) => ({ jsonrpc: '2.0', method: 'notifications/message', params: { level: 'info', data } });
const count: (state: { update: (key: string, change: (n?: number) => number) => Promise<number> }) => Tool =
  (state) => async () =>
    String(await state.update('count', (n = 0) => n + 1));

describe.each(lines)('restoring, SDK $name', (line) => {
  it('rule 8: any later request restores the session with its agreed version, log level and subscriptions', async () => {
    const told: string[] = [];
    const serve =
      (name: string): (() => TestServer) =>
      () => ({
        tools: {
          say: () => 'said',
        },
        onSubscribe: (uri) => told.push(`${name} ${uri}`),
        onInitialized: () => told.push(`${name} initialized`),
      });
    const { raw, store, another, errors } = await start(line, { serve: serve('first') });
    const client = raw();
    const id = await client.begin('2025-06-18');
    for (const [method, params] of [
      ['resources/subscribe', { uri: 'x:1' }],
      ['resources/subscribe', { uri: 'x:2' }],
      ['resources/unsubscribe', { uri: 'x:1' }],
      ['logging/setLevel', { level: 'error' }],
      ['logging/setLevel', { level: 'nonsense' }],
    ] as const) {
      await (
        await client.post({ jsonrpc: '2.0', id: `${method}-${JSON.stringify(params)}`, method, params })
      ).sse.rest();
    }
    expect((await store.get(id))?.protocol).toMatchObject({
      protocolVersion: '2025-06-18',
      initializeParams: { protocolVersion: '2025-06-18', clientInfo: { name: 'raw' } },
      serverCapabilities: { tools: {} },
      initialized: true,
      logLevel: 'error',
      subscriptions: ['x:2'],
    });

    another({ serve: serve('second') });
    const frames = await (await client.callTool('say')).sse.rest();
    expect(told).toEqual(['first initialized', 'first x:1', 'first x:2', 'second initialized', 'second x:2']);
    expect(frames.map(({ data }) => data).join('\n')).toContain('said');
    expect(errors).toEqual([]);
  });

  it('a restored server has its log level', async () => {
    const levels: string[] = [];
    const { raw, another } = await start(line, {
      serve: () => ({ tools: {}, onLevel: (level) => levels.push(level) }),
    });
    const client = raw();
    await client.begin();
    await (
      await client.post({ jsonrpc: '2.0', id: 1, method: 'logging/setLevel', params: { level: 'warning' } })
    ).sse.rest();
    another();
    await (await client.callTool('none')).sse.rest();
    expect(levels).toEqual(['warning', 'warning']);
  });

  it('the state is the same on every node', async () => {
    const { raw, another } = await start(line, { serve: ({ state }) => ({ tools: { count: count(state) } }) });
    const client = raw();
    await client.begin();
    for (let n = 1; n <= 4; n++) {
      const [answer] = (await (await client.callTool('count')).sse.rest()).slice(-1);
      expect(answer?.data).toContain(`"text":"${n}"`);
      another();
    }
  });

  it('concurrent requests restore a session once', async () => {
    let made = 0;
    const { raw, another, handler } = await start(line, { tools: { echo: () => 'x' } });
    const client = raw();
    await client.begin();
    const restored: string[] = [];
    const second = another({
      serve: () => {
        made++;
        return { tools: { echo: () => 'x' } };
      },
      onRestore: async () => {
        restored.push('once');
        // Long enough for the others to come in.
        await new Promise((resolve) => setTimeout(resolve, 100));
      },
    });
    const responses = await Promise.all([client.get(), ...Array.from({ length: 8 }, () => client.callTool('echo'))]);
    expect(responses.map(({ status }) => status)).toEqual(Array.from({ length: 9 }, () => 200));
    expect([made, restored, second.localSessions, handler.localSessions]).toEqual([1, ['once'], 1, 1]);
    await Promise.all(responses.map((response) => response.cancel()));
  });

  it('the principal is checked before anything is restored', async () => {
    let made = 0;
    const { raw, another } = await start(line, { tools: {} });
    const client = raw({ authorization: 'Bearer https://issuer|alice' });
    const id = await client.begin();
    another({
      serve: () => {
        made++;
        return { tools: {} };
      },
    });
    for (const authorization of ['Bearer https://issuer|mallory', 'Bearer https://other|alice']) {
      expect((await raw({ authorization, 'mcp-session-id': id }).callTool('x')).status).toBe(404);
    }
    expect((await raw({ 'mcp-session-id': id }).callTool('x')).status).toBe(404);
    expect(made).toBe(0);
    expect((await client.callTool('x')).status).toBe(200);
    expect(made).toBe(1);
  });

  it('a restore has no effects: nothing is stored or sent twice; only facts are asked for again', async () => {
    const onInitialized = (server: ServerPort): void => {
      server.notify('notifications/message', { level: 'info', data: 'welcome' }).catch(() => undefined);
      server.listRoots().catch(() => undefined);
    };
    const { raw, store, another } = await start(line, { serve: () => ({ tools: {}, onInitialized }) });
    const client = raw();
    const id = await client.begin();
    const session = await store.get(id);
    const sent = async (): Promise<string[]> => {
      const events = (await session?.events.recent(100, '_GET_stream')) ?? [];
      return events.map(({ message }) => String((message as { method?: string }).method));
    };
    await eventually(async () => (await sent()).length === 3);
    another();
    await (await client.callTool('none')).sse.rest();
    await eventually(async () => (await sent()).length === 4);
    expect(await sent()).toEqual(['undefined', 'notifications/message', 'roots/list', 'roots/list']);
  });

  it('a request right after initialize, at the same time as notifications/initialized, is served', async () => {
    const { raw } = await start(line, { tools: { echo: () => 'x' } });
    const client = raw();
    const response = await client.post({
      jsonrpc: '2.0',
      id: 0,
      method: 'initialize',
      params: { protocolVersion: '2025-11-25', capabilities: {}, clientInfo: { name: 'r', version: '1' } },
    });
    client.headers['mcp-session-id'] = response.headers.get('mcp-session-id') ?? '';
    const answers = await Promise.all([
      client.callTool('echo'),
      client.post({ jsonrpc: '2.0', method: 'notifications/initialized' }),
      client.callTool('echo'),
    ]);
    expect(answers.map(({ status }) => status)).toEqual([200, 202, 200]);
    await Promise.all(answers.map((answer) => answer.cancel()));
  });

  it('messages from before a restart arrive when the client listens, in order and once', async () => {
    let port: ServerPort | undefined;
    const { raw, another } = await start(line, {
      serve: () => ({ tools: {}, onCreated: (created) => (port = created) }),
    });
    const client = raw();
    await client.begin();
    await port?.notify('notifications/message', log('unheard 1').params);
    await port?.notify('notifications/message', log('unheard 2').params);
    another();
    const { sse } = await client.get();
    expect((await sse.message()).message).toEqual(log('unheard 1'));
    expect((await sse.message()).message).toEqual(log('unheard 2'));
    await port?.notify('notifications/message', log('live').params);
    const live = await sse.message();
    expect(live.message).toEqual(log('live'));
    await sse.cancel();
    another();
    const resumed = await client.get({ 'last-event-id': live.id });
    await port?.notify('notifications/message', log('after').params);
    expect((await resumed.sse.message()).message).toEqual(log('after'));
    await resumed.cancel();
  });

  it('without a cursor, a client gets again what a young connection got, and not what an older one got', async () => {
    const { raw, store, another } = await start(line, { keepAliveMs: 60_000 });
    const client = raw();
    const session = await store.get(await client.begin());
    const young = await client.get();
    await session?.events.append('_GET_stream', log('perhaps lost'));
    expect((await young.sse.message()).message).toEqual(log('perhaps lost'));
    await young.cancel();
    another({ keepAliveMs: 100 });
    const older = await client.get();
    expect((await older.sse.message()).message).toEqual(log('perhaps lost'));
    // With the second comment its client has had its first cursor for long enough.
    for (let comments = 0; comments < 2;) if ((await older.sse.next())?.comment !== undefined) comments++;
    await session?.events.append('_GET_stream', log('had'));
    const had = await older.sse.message();
    expect(had.message).toEqual(log('had'));
    await older.sse.next();
    await older.cancel();
    another();
    const next = await client.get();
    // The third generation of connections that the stream has.
    expect((await next.sse.next())?.id).toBe(had.id.replace(/\.2$/, '.3'));
    await session?.events.append('_GET_stream', log('new'));
    expect((await next.sse.message()).message).toEqual(log('new'));
    await next.cancel();
  });

  it('a standalone stream whose undelivered beginning was trimmed goes on, and onError gets the gap', async () => {
    const { raw, store, another, errors } = await start(line);
    const client = raw();
    const session = await store.get(await client.begin());
    const gone = (await session?.events.append('_GET_stream', log('gone'))) ?? '';
    await session?.events.append('_GET_stream', log('kept'));
    await session?.events.trim({ through: gone });
    another();
    const { sse } = await client.get();
    expect((await sse.message()).message).toMatchObject({ params: { level: 'warning', logger: 'mcp-session' } });
    // Its lists may have changed as well: the two SDK lines declare different ones.
    let next = await sse.message();
    while (String(next.message['method']).endsWith('/list_changed')) next = await sse.message();
    expect(next.message).toEqual(log('kept'));
    expect(errors).toMatchObject([{ code: 'EVENTS_TRIMMED' }]);
    await sse.cancel();
  });

  it('a server that cannot be restored fails the request, and the session stays', async () => {
    const ready = gate();
    const { raw, store, another, errors } = await start(line, { tools: {} });
    const client = raw();
    const id = await client.begin();
    another({
      onRestore: () => {
        ready.open();
        throw new Error('not now');
      },
    });
    expect((await client.callTool('x')).status).toBe(500);
    await ready.passed;
    expect(errors).toMatchObject([{ message: 'not now' }]);
    expect(await store.get(id)).toBeDefined();
    another();
    expect((await client.callTool('x')).status).toBe(200);
  });
});
