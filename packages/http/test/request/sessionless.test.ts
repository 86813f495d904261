import { createMemoryStore } from '@mcp-session/core/memory';
import { Client, StreamableHTTPClientTransport } from '@modelcontextprotocol/client';
import { describe, expect, it, onTestFinished } from 'vitest';
import { createDualEraHandler } from '../../src/v2.ts';
import { eventually, gate, start, type HarnessOptions } from '../support/harness.ts';
import type { Tool } from '../support/line.ts';
import { lines } from '../support/lines.ts';
import { makeServer, REVISION } from '../support/modern.ts';
import { RawClient } from '../support/raw.ts';
import { serve } from '../support/serve.ts';

const JSON_ONLY = { accept: 'application/json' };

function stateless(tools: Record<string, Tool>): HarnessOptions {
  return { withoutSession: 'stateless', stateless: () => ({ tools }), tools: { where: () => 'session' } };
}

describe.each(lines)("requests without a session, with withoutSession: 'stateless', SDK $name", (line) => {
  it('rule 35: a server of their own answers them, in both forms, and nothing is stored', async () => {
    const { raw, store, errors } = await start(line, stateless({ where: () => 'nowhere' }));
    const client = raw();
    const request = client.toolCall('where');
    const streamed = await client.post(request);
    expect(await streamed.sse.rest()).toEqual([{ data: expect.stringContaining('nowhere') }]);
    const json = await client.post(request, JSON_ONLY);
    expect(await json.json()).toMatchObject({ id: request.id, result: { content: [{ text: 'nowhere' }] } });
    expect(await (await client.post([request], { ...JSON_ONLY, 'mcp-protocol-version': '2025-03-26' })).json()).toEqual(
      [expect.objectContaining({ id: request.id })],
    );
    const list = { jsonrpc: '2.0', id: 'l', method: 'tools/list' };
    expect(await (await client.post(list, JSON_ONLY)).json()).toMatchObject({ result: { tools: [{ name: 'where' }] } });
    expect((await client.post({ jsonrpc: '2.0', method: 'notifications/initialized' })).status).toBe(202);
    expect((await client.post(list, { 'mcp-protocol-version': '2099-01-01' })).status).toBe(400);
    expect([(await client.get()).status, (await client.delete()).status]).toEqual([405, 405]);
    expect([await store.count(), errors]).toEqual([0, []]);
  });

  it('sessions are as ever, and an unknown id is a 404', async () => {
    const { raw, url } = await start(line, stateless({ where: () => 'nowhere' }));
    const client = await line.connect(url);
    expect(await client.call('where')).toBe('session');
    await client.close();
    expect((await raw({ 'mcp-session-id': 'unknown' }).callTool('where')).status).toBe(404);
  });

  it('what a long call sends before its response is streamed, and its client cannot be asked', async () => {
    const go = gate();
    const tell: Tool = async (_, { notify, elicit }) => {
      await notify('notifications/message', { level: 'info', data: 'at work' });
      await go.passed;
      return elicit('who are you?').then(String, String);
    };
    const { raw } = await start(line, stateless({ tell }));
    const client = raw();
    const call = await client.callTool('tell');
    expect((await call.sse.message()).message).toMatchObject({ params: { data: 'at work' } });
    const json = client.post(client.toolCall('tell'), JSON_ONLY);
    go.open();
    expect(JSON.stringify(await call.sse.rest())).toMatch(/Client does not support form elicitation/);
    expect(JSON.stringify(await (await json).json())).toMatch(/Client does not support form elicitation/);
  });

  it('a lost connection cancels the request, and close() ends those that run', async () => {
    const [begun, begunAgain, aborted] = [gate(), gate(), gate()];
    const waiting = [begun, begunAgain];
    const endless: Tool = async (_, { signal }) => {
      waiting.shift()?.open();
      await new Promise((resolve) => signal.addEventListener('abort', resolve));
      aborted.open();
      return 'too late';
    };
    const { raw, handler } = await start(line, stateless({ endless }));
    const call = await raw().callTool('endless');
    await begun.passed;
    await call.cancel();
    await aborted.passed;
    const stopped = raw().post(raw().toolCall('endless'), JSON_ONLY);
    await begunAgain.passed;
    await handler.close();
    expect((await (await stopped).error()).message).toContain('stopped');
  });

  it('a server that cannot be made is a 500, and onError gets why', async () => {
    const { raw, errors } = await start(line, {
      withoutSession: 'stateless',
      stateless: () => {
        throw new Error('No server today');
      },
    });
    expect((await raw().callTool('x')).status).toBe(500);
    expect(errors).toEqual([new Error('No server today')]);
  });

  it('the option needs a function that makes the server, and the function needs the option', async () => {
    const store = await createMemoryStore();
    expect(() => line.createHandler({ store, serve: () => ({ tools: {} }), stateless: () => ({ tools: {} }) })).toThrow(
      "Option createStatelessServer has no effect without withoutSession: 'stateless'; set that too",
    );
    const make = () => line.createHandler({ store, serve: () => ({ tools: {} }), withoutSession: 'stateless' });
    expect(make).toThrow('Option createStatelessServer is undefined, not a function');
    expect(() => line.createHandler({ store, serve: () => ({ tools: {} }), withoutSession: 'serve' as never })).toThrow(
      `Option withoutSession is "serve", not 'refuse' or 'stateless'`,
    );
    await store.close();
  });
});

it('both eras: one factory serves requests of 2026-07-28 and earlier ones without a session', async () => {
  const store = await createMemoryStore();
  const handler = createDualEraHandler({
    store,
    withoutSession: 'stateless',
    createServer: () => makeServer('session'),
    createStatelessServer: ({ era }) => makeServer(era),
  });
  const served = await serve(handler);
  onTestFinished(async () => {
    await handler.close();
    await served.close();
    await store.close();
  });
  const raw = new RawClient(served.url);
  const call = { jsonrpc: '2.0', id: 1, method: 'tools/call', params: { name: 'era', arguments: {} } };
  expect(await (await raw.post(call, JSON_ONLY)).json()).toMatchObject({ result: { content: [{ text: 'legacy' }] } });
  const modern = new Client({ name: 'modern', version: '1.0.0' }, { versionNegotiation: { mode: { pin: REVISION } } });
  await modern.connect(new StreamableHTTPClientTransport(served.url));
  expect((await modern.callTool({ name: 'era', arguments: {} })).content).toEqual([{ type: 'text', text: 'modern' }]);
  await modern.close();
  await eventually(async () => (await store.count()) === 0);
});
