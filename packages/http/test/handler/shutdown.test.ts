import { execFile } from 'node:child_process';
import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { setTimeout as pause } from 'node:timers/promises';
import { promisify } from 'node:util';
import { describe, expect, it } from 'vitest';
import { gate, type Harness, type HarnessOptions, start, withinLimit } from '../support/harness.ts';
import type { Json, Tool } from '../support/line.ts';
import { lines } from '../support/lines.ts';
import { initialize, type RawClient } from '../support/raw.ts';

const DRAIN = { drainMs: 60_000 };

const ask: Tool = async (_, { elicit }) => {
  await elicit('ready?');
  return 'waited';
};

/** Calls until new requests are refused. */
async function untilRefused(client: RawClient): Promise<void> {
  for (;;) {
    const response = await client.callTool('echo');
    await response.cancel();
    if (response.status === 503) return;
    expect(response.status).toBe(200);
  }
}

describe.each(lines)('shutdown, SDK $name', (line) => {
  function begin(options: HarnessOptions = {}): Promise<Harness> {
    return start(line, { ...options, tools: { echo: () => 'x', ask } });
  }

  it.each(['a call', 'a call of a session that is not in memory', 'initialize', 'DELETE'])(
    'rule 37: %s that came before close({ drainMs }) is served, though it has not begun',
    async (kind) => {
      const { raw, handler, another } = await begin();
      const client = raw();
      await client.begin();
      const node = kind.includes('not in memory') ? another() : handler;
      const message = kind === 'initialize' ? initialize() : client.toolCall('echo');
      const request = requestOf(client, kind === 'DELETE' ? undefined : message);
      const response = node.fetch(request);
      const closing = node.close(DRAIN);
      expect((await response).status).toBe(kind === 'DELETE' ? 204 : 200);
      expect(await (await response).text()).toContain(
        { DELETE: '', initialize: 'protocolVersion' }[kind] ?? '"text":"x"',
      );
      await closing;
    },
  );

  it('rule 37: close({ drainMs }) waits for a request whose body still arrives', async () => {
    const { raw, handler, url } = await begin();
    const client = raw();
    await client.begin();
    const rest = gate();
    const text = new TextEncoder().encode(JSON.stringify(client.toolCall('echo')));
    const body = new ReadableStream<Uint8Array>({
      start: async (controller) => {
        controller.enqueue(text.subarray(0, 10));
        await rest.passed;
        controller.enqueue(text.subarray(10));
        controller.close();
      },
    });
    const headers = { ...client.headers, 'content-type': 'application/json', accept: 'text/event-stream' };
    const response = handler.fetch(new Request(url, { method: 'POST', headers, body, duplex: 'half' }));
    const closing = handler.close(DRAIN);
    await untilRefused(client);
    rest.open();
    expect(await (await response).text()).toContain('"text":"x"');
    await closing;
  });

  it('rule 37: a connection that was accepted before the server stopped listening gets its answer', async () => {
    // New requests are served for half a second.
    const closed = await withinLimit(450, async () => {
      const { raw, handler, served } = await begin();
      const client = raw();
      await client.begin();
      const accepted = once(served.server, 'connection');
      const socket = connect(Number(served.url.port), '127.0.0.1');
      await accepted;
      const stopped = new Promise((resolve) => served.server.close(resolve));
      const closing = handler.close(DRAIN);
      // As long as a request is under way.
      await pause(20);
      expect(await talk(socket, client)).toMatch(/^HTTP\/1\.1 200 OK[\s\S]*"text":"x"/);
      return [closing, stopped];
    });
    await Promise.all(closed);
  });

  it("close({ drainMs }) lets running requests finish, and accepts their clients' responses", async () => {
    const { raw, handler } = await begin();
    const client = raw();
    await client.begin();
    const call = await client.callTool('ask');
    const { message } = await call.sse.message();
    const closing = handler.close(DRAIN);
    await untilRefused(client);
    for (const refused of [await client.callTool('ask'), await client.delete(), await raw().post(initialize())]) {
      expect([refused.status, refused.headers.get('retry-after')]).toEqual([503, '1']);
    }
    const answer = { jsonrpc: '2.0', id: message['id'], result: { action: 'accept', content: {} } };
    expect((await client.post(answer)).status).toBe(202);
    await closing;
    expect((await client.post(answer)).status).toBe(503);
    expect((await call.sse.rest()).filter(({ data }) => data).map(({ data }) => data)).toEqual([
      expect.stringContaining('waited'),
    ]);
  });

  it('a request that comes late is waited for too, and what runs after drainMs is aborted', async () => {
    const { raw, handler } = await begin();
    const client = raw();
    await client.begin();
    const request = requestOf(client, client.toolCall('ask'));
    const closing = handler.close({ drainMs: 1_000 });
    const response = await handler.fetch(request);
    expect(response.status).toBe(200);
    const text = response.text();
    await closing;
    expect(await text).toContain('Server was stopped while it handled');
  });

  it('close({ drainMs }) ends in a process that has nothing else to do', async () => {
    const code = `
      import { createMemoryStore } from '@mcp-session/core/memory';
      import { createSessionHandler } from '${new URL(`../../src/${line.name}.ts`, import.meta.url).href}';
      const handler = createSessionHandler({ store: await createMemoryStore(), createServer: () => undefined });
      void handler.close({ drainMs: 60_000 }).then(() => console.log('closed'));`;
    const { stdout } = await promisify(execFile)(process.execPath, [
      '--conditions=@mcp-session/source',
      '--input-type=module',
      `--eval=${code}`,
    ]);
    expect(stdout).toBe('closed\n');
  });

  it('without drainMs, new requests are refused at once', async () => {
    const { raw, handler } = await begin();
    const client = raw();
    await client.begin();
    const closing = handler.close();
    expect((await client.callTool('echo')).status).toBe(503);
    await closing;
  });
});

/** A message of a client as its server gets it; `undefined`: the end of its session. */
function requestOf({ url, headers }: RawClient, message: Json | undefined): Request {
  return new Request(url, {
    method: message === undefined ? 'DELETE' : 'POST',
    headers: { ...headers, 'content-type': 'application/json', accept: 'application/json, text/event-stream' },
    ...(message !== undefined && { body: JSON.stringify(message) }),
  });
}

/** Sends a call over a connection that is there, and reads until it ends. */
async function talk(socket: Socket, client: RawClient): Promise<string> {
  const body = JSON.stringify(client.toolCall('echo'));
  const headers = {
    host: client.url.host,
    'content-type': 'application/json',
    accept: 'application/json, text/event-stream',
    'content-length': String(body.length),
    ...client.headers,
  };
  const lines = Object.entries(headers).map(([name, value]) => `${name}: ${value}\r\n`);
  socket.write(`POST /mcp HTTP/1.1\r\n${lines.join('')}\r\n${body}`);
  const chunks: Buffer[] = [];
  socket.on('data', (chunk) => chunks.push(chunk));
  await once(socket, 'close');
  return Buffer.concat(chunks).toString();
}
