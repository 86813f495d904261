import { setTimeout as pause } from 'node:timers/promises';
import { describe, expect, it, onTestFinished } from 'vitest';
import { ReplayFilter } from '../../src/lib/session/replay-filter.ts';
import { eventually, gate, start } from '../support/harness.ts';
import type { ServerPort } from '../support/line.ts';
import { lines } from '../support/lines.ts';
import { type Node, startNodes } from '../support/nodes.ts';
import { initialize } from '../support/raw.ts';

const forever = new Promise<never>(() => undefined);
const subscribe = (uri: string) => ({ jsonrpc: '2.0', id: uri, method: 'resources/subscribe', params: { uri } });

describe.each(lines)('a restored server, SDK $name', (line) => {
  it('does not repeat a question from the beginning of the session, and its other messages are sent', async () => {
    const refused: string[] = [];
    const ports: ServerPort[] = [];
    const onInitialized = (server: ServerPort): void => {
      pause(10)
        .then(() => server.elicit('sign in'))
        .catch((error: unknown) => refused.push(String(error)));
      pause(10)
        .then(() => server.listRoots())
        .catch(() => undefined);
      const timer = setInterval(() => {
        server.notify('notifications/resources/updated', { uri: `a:${ports.indexOf(server)}` }).catch(() => undefined);
      }, 20);
      onTestFinished(() => clearInterval(timer));
    };
    const { raw, store, another } = await start(line, {
      serve: () => ({ tools: {}, onInitialized, onCreated: (port) => void ports.push(port) }),
    });
    const client = raw();
    const session = await store.get(await client.begin());
    const sent = async (method: string): Promise<number> => {
      const events = (await session?.events.recent(1_000, '_GET_stream')) ?? [];
      return events.filter(({ message }) => JSON.stringify(message).includes(method)).length;
    };
    await eventually(async () => (await sent('roots/list')) === 1 && (await sent('"a:0"')) > 0);
    for (let restart = 1; restart <= 3; restart++) {
      another();
      await (await client.callTool('none')).sse.rest();
      await eventually(async () => (await sent('roots/list')) === restart + 1 && (await sent(`"a:${restart}"`)) > 0);
    }
    expect(await sent('sign in')).toBe(1);
    expect(refused).toHaveLength(3);
    expect(refused.join()).toMatch(/(Not sent.*){3}/);
    // What comes of something else is asked.
    ports
      .at(-1)
      ?.elicit('now')
      .catch(() => undefined);
    await eventually(async () => (await sent('"now"')) === 1);
  });

  it('a client cannot cancel the requests that restore a server, on any node', async () => {
    const [begun, go, waits] = [gate(), gate(), gate()];
    const [a, b] = (await startNodes(line, 2, {
      serve: (node) => ({
        tools: { echo: () => 'x', wait: () => waits.passed.then(() => 'waited') },
        onSubscribe: async () => {
          if (node === 1) return;
          begun.open();
          await go.passed;
        },
      }),
    })) as [Node, Node];
    const client = a.raw();
    await client.begin();
    const elsewhere = b.raw(client.headers);
    const call = await client.callTool('wait');
    await (await elsewhere.post(subscribe('a:b'))).sse.rest();
    const echo = client.callTool('echo');
    await begun.passed;
    for (const requestId of ['restore-resources/subscribe', 'restore-resources/subscribe#1']) {
      const params = { requestId };
      expect((await elsewhere.post({ jsonrpc: '2.0', method: 'notifications/cancelled', params })).status).toBe(202);
    }
    // Until the call that runs has read its mail.
    await pause(100);
    go.open();
    expect((await (await echo).sse.rest()).at(-1)?.data).toContain('"x"');
    expect((await client.callTool('echo')).status).toBe(200);
    waits.open();
    await call.sse.rest();
  });

  it('a server that is not ready in time is closed: its requests get 503, and the next one gets a new server', async () => {
    let hangs: 'createServer' | 'onRestore' | 'subscribe' | undefined;
    const { raw, another, store, errors } = await start(line, { holdMs: 0 });
    const client = raw();
    await client.begin();
    await (await client.post(subscribe('a:b'))).sse.rest();
    const restoring = another({
      setupTimeoutMs: 100,
      serve: async () => {
        if (hangs === 'createServer') await forever;
        return { tools: { echo: () => 'x' }, onSubscribe: () => (hangs === 'subscribe' ? forever : undefined) };
      },
      onRestore: () => (hangs === 'onRestore' ? forever : undefined),
    });
    for (hangs of ['createServer', 'onRestore', 'subscribe'] as const) {
      for (const response of await Promise.all([client.callTool('echo'), client.get(), client.callTool('echo')])) {
        expect([response.status, response.headers.get('retry-after')]).toEqual([503, '2']);
      }
      expect(restoring.localSessions).toBe(0);
      expect(new Set(errors.splice(0).map(String))).toEqual(
        new Set(['Error: Server of a session was not ready within setupTimeoutMs, 100 ms']),
      );
    }
    const before = await store.count();
    hangs = 'createServer';
    expect((await raw().post(initialize())).status).toBe(503);
    expect(await store.count()).toBe(before);
    hangs = undefined;
    await eventually(async () => (await client.callTool('echo')).status === 200);
  });

  it('a server that hangs on a setting of another node is closed', async () => {
    let hangs = true;
    const [a, b] = (await startNodes(line, 2, {
      setupTimeoutMs: 1_000,
      serve: (node) => ({
        tools: { echo: () => 'x' },
        onSubscribe: () => (node === 0 && hangs ? forever : undefined),
      }),
    })) as [Node, Node];
    const client = a.raw();
    await client.begin();
    await (await b.raw(client.headers).post(subscribe('a:b'))).sse.rest();
    expect((await client.callTool('echo')).status).toBe(503);
    await eventually(() => a.handler.localSessions === 0);
    hangs = false;
    await eventually(async () => (await client.callTool('echo')).status === 200);
  });
});

it('work that began during a restore cannot ask the client for a minute, and can afterwards', async () => {
  let now = 0;
  const quiet = new ReplayFilter(() => now);
  const ask = { jsonrpc: '2.0', id: 1, method: 'elicitation/create' } as const;
  const [later, last, done] = [gate(), gate(), gate()];
  const kept: boolean[] = [];
  await quiet.during(async () => {
    kept.push(quiet.suppresses(ask));
    void later.passed
      .then(() => kept.push(quiet.suppresses(ask)))
      .then(() => last.passed)
      .then(() => kept.push(quiet.suppresses(ask)))
      .then(() => done.open());
  });
  now = 59_999;
  later.open();
  await pause(0);
  now = 60_000;
  last.open();
  await done.passed;
  expect([...kept, quiet.suppresses(ask)]).toEqual([true, true, false, false]);
});
