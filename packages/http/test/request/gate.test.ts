import { createMemoryStore } from '@mcp-session/core/memory';
import { McpServer } from '@modelcontextprotocol/server';
import { describe, expect, it, onTestFinished } from 'vitest';
import { noteAddress } from '../../src/lib/request/loopback.ts';
import { createDualEraHandler, type SessionHandler } from '../../src/v2.ts';
import { start } from '../support/harness.ts';
import { Connection, frameworks, listening, wire } from '../support/keep-alive.ts';
import { lines } from '../support/lines.ts';
import { initialize } from '../support/raw.ts';
import { JSON_HEADERS, statusesOn } from '../support/statuses.ts';
import { v2 } from '../support/v2.ts';

const APP = 'https://app.example';

describe.each(lines)('hosts and origins, SDK $name', (line) => {
  const statuses = statusesOn(line);

  it('by default, a loopback connection must name a loopback host', async () => {
    const own = await statuses({}, (port) =>
      ['localhost', '127.0.0.1', '127.1.2.3', '[::1]', 'LocalHost', 'my-app.localhost', 'localhost:1'].map((host) => ({
        host: host.includes(':1') ? host : `${host}:${port}`,
      })),
    );
    expect(own).toEqual(Array(7).fill(200));
    const others = await statuses({}, (port) =>
      [
        'evil.example',
        'localhost.evil.example',
        '127.0.0.1.evil.example',
        'localhost.',
        '0.0.0.0',
        '10.0.0.1',
        'notlocalhost',
      ].map((host) => ({ host: `${host}:${port}` })),
    );
    expect(others).toEqual(Array(7).fill(403));
  });

  it("by default, a page passes if its origin is the host's, and no other page does", async () => {
    const seen = await statuses({}, (port) => {
      const host = `localhost:${port}`;
      return [
        { host, origin: `http://${host}` },
        { host, origin: `https://${host}`, 'sec-fetch-site': 'same-origin' },
        { host, origin: 'http://localhost:1' },
        { host, origin: 'http://localhost' },
        { host, origin: `http://127.0.0.1:${port}` },
        { host, origin: 'https://evil.example' },
        { host, origin: `http://${host}.evil.example` },
        { host, origin: 'null' },
        { host, origin: '' },
        { host, origin: `chrome-extension://${host}` },
        { host, origin: `http://${host}, https://evil.example` },
      ];
    });
    expect(seen).toEqual([200, 200, ...Array<number>(9).fill(403)]);
  });

  it('a request without Origin is refused if its browser says that another site caused it', async () => {
    const seen = await statuses({}, () => [
      { 'sec-fetch-site': 'cross-site' },
      { 'sec-fetch-site': 'same-site' },
      { 'sec-fetch-site': 'same-origin' },
      { 'sec-fetch-site': 'none' },
    ]);
    expect(seen).toEqual([403, 403, 200, 200]);
    const listed = await statuses({ allowedOrigins: [APP] }, () => [
      { 'sec-fetch-site': 'cross-site' },
      { 'sec-fetch-site': 'cross-site', origin: APP },
    ]);
    expect(listed).toEqual([403, 200]);
  });

  it('lists allow more: hosts with or without a port, exact origins, and * for any', async () => {
    const hosts = await statuses({ allowedHosts: ['mcp.example', 'Other.Example:8080', '[::1]'] }, (port) =>
      [
        'mcp.example',
        `MCP.example:${port}`,
        'other.example:8080',
        '[::1]:9',
        'other.example',
        'other.example:80',
        'localhost',
        'x.mcp.example',
        'mcp.example.',
      ].map((host) => ({ host })),
    );
    expect(hosts).toEqual([200, 200, 200, 200, 403, 403, 403, 403, 403]);
    const origins = await statuses(
      { allowedOrigins: [APP, 'http://localhost:6274', 'vscode-webview://0abc'] },
      (port) =>
        [
          APP,
          'http://localhost:6274',
          'vscode-webview://0abc',
          `http://localhost:${port}`,
          `${APP}.evil.example`,
          'https://app.exampl',
          'http://app.example',
          'HTTPS://app.example',
          'null',
        ].map((origin) => ({ host: `localhost:${port}`, origin })),
    );
    expect(origins).toEqual([200, 200, 200, 403, 403, 403, 403, 403, 403]);
    const any = await statuses({ allowedOrigins: ['*'], allowedHosts: ['*'] }, () => [
      { host: 'evil.example', origin: 'https://evil.example', 'sec-fetch-site': 'cross-site' },
      { host: 'evil.example', origin: 'null' },
      { host: 'x', 'sec-fetch-site': 'cross-site' },
    ]);
    expect(any).toEqual([200, 200, 200]);
    expect(await statuses({ allowedOrigins: [] }, (port) => [{ origin: `http://127.0.0.1:${port}` }, {}])).toEqual([
      403, 200,
    ]);
  });

  it('options that are no lists of hosts or origins are refused at once', async () => {
    const store = await createMemoryStore();
    const make = (options: object) => () => line.createHandler({ store, serve: () => ({ tools: {} }), ...options });
    expect(make({ allowedOrigins: APP })).toThrow(
      new TypeError(`Option allowedOrigins is "${APP}", not an array of strings, 'any' or 'same-host'`),
    );
    for (const given of ['*', 'all', '', null, {}, 7, true]) {
      expect(make({ allowedOrigins: given })).toThrow(TypeError);
    }
    expect(make({ allowedHosts: 'localhost' })).toThrow(TypeError);
    expect(make({ allowedOrigins: [7] })).toThrow(TypeError);
    for (const entry of [`${APP}/`, 'https://App.example', `${APP}:443`, `${APP}/path`]) {
      expect(make({ allowedOrigins: [entry] })).toThrow(`did you mean "${APP}"?`);
    }
    for (const entry of ['app.example', 'https://*.app.example', '/', 'https://']) {
      expect(make({ allowedOrigins: [entry] })).toThrow(RangeError);
    }
    for (const entry of ['https://mcp.example', 'mcp.example/', 'a b', '*.example', 'a@b', 'x:y']) {
      expect(make({ allowedHosts: [entry] })).toThrow(RangeError);
    }
    await store.close();
  });
});

it('any host is served on a connection from elsewhere or of unknown origin', async () => {
  const { handler } = await start(v2);
  const post = (address?: string): Promise<Response> => {
    const request = new Request('http://mcp.example/mcp', {
      method: 'POST',
      headers: JSON_HEADERS,
      body: JSON.stringify(initialize()),
    });
    noteAddress(request, address);
    return handler.fetch(request);
  };
  expect((await post()).status).toBe(200);
  for (const address of ['192.168.1.7', '::ffff:10.0.0.1', 'fe80::1', '2001:db8::1']) {
    expect((await post(address)).status).toBe(200);
  }
  for (const address of ['127.0.0.1', '::1', '::ffff:127.0.0.1']) {
    const refused = await post(address);
    expect(refused.status).toBe(403);
    expect(await refused.text()).toContain('behind a proxy on this machine, list it in allowedHosts');
  }
});

describe.each(Object.entries(frameworks))('a page of a listed origin, %s', (_, mount) => {
  it.each(['sessions', 'both eras'])(
    'a listed origin may preflight, send and read (%s); others may not',
    async (eras) => {
      const store = await createMemoryStore();
      const createServer = (): McpServer => new McpServer({ name: 'test', version: '1.0.0' });
      const handler: SessionHandler =
        eras === 'sessions'
          ? v2.createHandler({ store, serve: () => ({ tools: {} }), allowedOrigins: [APP] })
          : createDualEraHandler({ store, createServer, createStatelessServer: createServer, allowedOrigins: [APP] });
      onTestFinished(async () => {
        await handler.close();
        await store.close();
      });
      const connection = new Connection(await listening(await mount(handler)));
      const send = async (method: string, headers: Record<string, string>, body = '') => {
        connection.socket.write(wire(method, headers, body));
        return connection.answer();
      };
      const asks = {
        'access-control-request-method': 'POST',
        'access-control-request-headers':
          'authorization,content-type,mcp-protocol-version,mcp-session-id,last-event-id',
      };
      const preflight = await send('OPTIONS', { origin: APP, ...asks });
      expect(preflight.status).toBe(204);
      for (const header of [
        `access-control-allow-origin: ${APP}`,
        'access-control-allow-methods: GET, POST, DELETE',
        `access-control-allow-headers: ${asks['access-control-request-headers']}`,
        'access-control-expose-headers: Mcp-Session-Id, ',
        'vary: Origin',
      ]) {
        expect(preflight.head).toMatch(new RegExp(`^${header}`, 'im'));
      }
      const begun = await send('POST', { ...JSON_HEADERS, origin: APP }, JSON.stringify(initialize()));
      expect(begun.status).toBe(200);
      expect(begun.head).toMatch(new RegExp(`^access-control-allow-origin: ${APP}`, 'im'));
      expect(begun.head).toMatch(/^access-control-expose-headers: Mcp-Session-Id/im);
      const refused = await send(
        'POST',
        { ...JSON_HEADERS, origin: APP, 'mcp-session-id': 'x' },
        JSON.stringify({ jsonrpc: '2.0', id: 1, method: 'ping' }),
      );
      expect(refused.status).toBe(404);
      expect(refused.head).toMatch(new RegExp(`^access-control-allow-origin: ${APP}`, 'im'));
      for (const other of [
        await send('OPTIONS', { origin: 'https://evil.example', ...asks }),
        await send('OPTIONS', {}),
      ]) {
        expect([403, 405]).toContain(other.status);
        expect(other.head).not.toMatch(/^access-control/im);
      }
    },
  );
});
