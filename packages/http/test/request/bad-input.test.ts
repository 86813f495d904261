import { once } from 'node:events';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { connect as connectSocket } from 'node:net';
import { describe, expect, it } from 'vitest';
import { start } from '../support/harness.ts';
import { lines } from '../support/lines.ts';
import { initialize } from '../support/raw.ts';

const echo = { echo: ({ text }: Record<string, unknown>) => String(text) };

describe.each(lines)('bad input, SDK $name', (line) => {
  it('requests that are not MCP get the right status, and the session goes on', async () => {
    const { raw, served, errors } = await start(line, { tools: echo, maxBodyBytes: 10_000 });
    const client = raw();
    await client.begin();
    const json = { 'content-type': 'application/json', accept: 'application/json, text/event-stream' };
    const call = JSON.stringify(client.toolCall('echo'));
    const cases: readonly (readonly [string, Record<string, string>, string | undefined, number])[] = [
      ['PUT', json, call, 405],
      ['OPTIONS', {}, undefined, 405],
      ['POST', { ...json, accept: 'text/html' }, call, 406],
      ['GET', { accept: 'application/json' }, undefined, 406],
      ['POST', { ...json, 'content-type': 'text/plain; a=application/json' }, call, 415],
      ['POST', json, '{"jsonrpc":', 400],
      ['POST', json, '', 400],
      ['POST', json, 'null', 400],
      ['POST', json, '"text"', 400],
      ['POST', json, '{}', 400],
      ['POST', json, '{"jsonrpc":"1.0","id":1,"method":"ping"}', 400],
      ['POST', json, '{"jsonrpc":"2.0","id":{},"method":"ping"}', 400],
      ['POST', json, `"${'x'.repeat(10_001)}"`, 413],
      ['POST', { ...json, 'mcp-session-id': '../../etc/passwd' }, call, 404],
      ['POST', { ...json, 'mcp-session-id': 'caf\u00e9' }, call, 404],
      ['POST', { ...json, accept: 'Application/JSON;q=0.9 , text/*' }, call, 200],
      ['POST', { ...json, 'content-type': 'application/json; charset=utf-8' }, call, 200],
    ];
    for (const [method, headers, body, status] of cases) {
      const response = await client.send(method, headers, body);
      expect([method, headers, body?.slice(0, 60), response.status]).toEqual([
        method,
        headers,
        body?.slice(0, 60),
        status,
      ]);
      await response.cancel();
    }
    expect(errors).toEqual([]);
    expect(served.server.listening).toBe(true);
    expect((await client.callTool('echo')).status).toBe(200);
  });

  it('a chunked body that is too large is refused while it arrives', async () => {
    const { raw, served } = await start(line, { tools: echo, maxBodyBytes: 1_000 });
    const client = raw();
    const id = await client.begin();
    const socket = connectSocket(Number(served.url.port), '127.0.0.1');
    const head = [
      'POST /mcp HTTP/1.1',
      'host: localhost',
      `mcp-session-id: ${id}`,
      'content-type: application/json',
      'accept: application/json, text/event-stream',
    ];
    socket.write(`${head.join('\r\n')}\r\ntransfer-encoding: chunked\r\n\r\n`);
    for (let i = 0; i < 3; i++) socket.write(`3e8\r\n${' '.repeat(1_000)}\r\n`);
    const [answer] = (await once(socket, 'data')) as [Buffer];
    expect(answer.toString()).toMatch(/^HTTP\/1\.1 413 /);
    socket.destroy();
    expect((await client.callTool('echo')).status).toBe(200);
  });

  it('a client that disconnects in the middle of its body is no error', async () => {
    const { raw, served, errors } = await start(line, { tools: echo });
    const socket = connectSocket(Number(served.url.port), '127.0.0.1');
    const head = [
      'POST /mcp HTTP/1.1',
      'host: localhost',
      'accept: */*',
      'content-type: application/json',
      'content-length: 99',
    ];
    const [, exchange] = await Promise.all([
      new Promise<void>((resolve) => socket.write(`${head.join('\r\n')}\r\n\r\n{"json`, () => resolve())),
      once(served.server, 'request'),
    ]);
    const gone = once((exchange as [IncomingMessage, ServerResponse])[1], 'close');
    socket.resetAndDestroy();
    await gone;
    await raw().begin();
    expect(errors).toEqual([]);
  });

  it('only the allowed hosts and origins pass', async () => {
    const { raw, url } = await start(line, { allowedOrigins: ['https://app.example'] });
    expect((await raw().post(initialize(), { origin: 'https://evil.example' })).status).toBe(403);
    expect((await raw().post(initialize(), { origin: 'https://app.example' })).status).toBe(200);
    expect((await raw().post(initialize())).status).toBe(200);
    const hosts = await start(line, { allowedHosts: [url.host] });
    expect((await hosts.raw().post(initialize())).status).toBe(403);
    const own = await start(line, { allowedHosts: ['mcp.example'] });
    const socket = connectSocket(Number(own.url.port), '127.0.0.1');
    socket.write('GET /mcp HTTP/1.1\r\nhost: mcp.example\r\naccept: text/event-stream\r\n\r\n');
    const [answer] = (await once(socket, 'data')) as [Buffer];
    expect(answer.toString()).toMatch(/^HTTP\/1\.1 400 /);
    socket.destroy();
  });

  it('an initialize that the server refuses is answered and leaves no session', async () => {
    const { raw, store, handler } = await start(line);
    const response = await raw().post({ jsonrpc: '2.0', id: 1, method: 'initialize', params: { nonsense: true } });
    expect(response.headers.get('mcp-session-id')).toBeNull();
    expect(await response.json()).toMatchObject({ id: 1, error: {} });
    expect([await store.count(), handler.localSessions]).toEqual([0, 0]);
  });

  it('a refused initialize leaves no record and no tombstone', async () => {
    let now = Date.now();
    let throws = false;
    const { raw, store } = await start(line, {
      memory: { maxSessions: 5, clock: () => now },
      serve: () => {
        if (throws) throw new Error('not now');
        return { tools: {} };
      },
    });
    for (let n = 0; n < 20; n++) {
      const params = { protocolVersion: 7 };
      const response = await raw().post({ jsonrpc: '2.0', id: 1, method: 'initialize', params });
      expect(await response.json()).toMatchObject({ id: 1, error: {} });
    }
    throws = true;
    for (let n = 0; n < 20; n++) expect((await raw().post(initialize())).status).toBe(500);
    throws = false;
    expect((await raw().post(initialize())).status).toBe(200);

    // A day later there is only the one session to remove.
    now += 90_000_000;
    expect(await store.sweep()).toBe(1);
  });

  it('an initialize that is too large or too deep to store is refused and leaves no session', async () => {
    const { raw, store } = await start(line);
    const params = { protocolVersion: '2025-11-25', clientInfo: { name: 'x', version: '1' } };
    const large = { ...params, capabilities: { experimental: { x: { y: 'z'.repeat(300_000) } } } };
    expect((await raw().post({ jsonrpc: '2.0', id: 1, method: 'initialize', params: large })).status).toBe(413);
    const json = { 'content-type': 'application/json', accept: 'application/json, text/event-stream' };
    for (const depth of [2_000, 200_000]) {
      const deep = `${'{"a":'.repeat(depth)}1${'}'.repeat(depth)}`;
      const body = JSON.stringify({
        jsonrpc: '2.0',
        id: 1,
        method: 'initialize',
        params: { ...params, capabilities: { experimental: 'DEEP' } },
      });
      const response = await raw().send('POST', json, body.replace('"DEEP"', `{"x":${deep}}`));
      expect([depth, response.status]).toEqual([depth, 400]);
    }
    expect(await store.count()).toBe(0);
  });

  it('a createServer that throws is a 500 and leaves no session; only onError gets the reason', async () => {
    const failure = new Error('secret reason');
    const { raw, store, errors } = await start(line, {
      serve: () => {
        throw failure;
      },
    });
    const response = await raw().post(initialize());
    expect(response.status).toBe(500);
    expect(JSON.stringify(await response.json())).not.toContain('secret');
    expect(errors).toEqual([failure]);
    expect(await store.count()).toBe(0);
  });
});
