import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { setTimeout as pause } from 'node:timers/promises';
import { describe, expect, it, onTestFinished } from 'vitest';
import { eventually, start } from '../support/harness.ts';
import { lines } from '../support/lines.ts';
import { type Node, startNodes } from '../support/nodes.ts';
import type { RawClient } from '../support/raw.ts';
import { recordOf } from '../support/record.ts';

const said = (data: unknown) => ({ method: 'notifications/message', params: { level: 'info', data } });

/** Closes the stream and opens it again at the same moment. @returns How often that was refused. */
async function race(clients: readonly RawClient[], rounds: number): Promise<number> {
  let refused = 0;
  let stalls = 0;
  let open = await clients[0]?.get();
  for (let round = 1; round <= rounds; round++) {
    const left = open?.cancel();
    const client = clients[round % clients.length];
    const begunAt = performance.now();
    let next = await client?.get();
    await left;
    // The old connection has half a second to take a comment. A process that stood still for as
    // long does not see it close. That is rare.
    if (next?.status === 409 && performance.now() - begunAt >= 450 && ++stalls <= 2) next = await client?.get();
    if (next?.status === 200) open = next;
    else refused++;
  }
  await open?.cancel();
  return refused;
}

/** A client that asks for the stream and takes nothing of it. */
async function deafClient({ url, headers }: RawClient): Promise<Socket> {
  const socket = connect(Number(url.port), url.hostname);
  onTestFinished(() => void socket.destroy());
  await once(socket, 'connect');
  const lines = Object.entries({ host: url.host, accept: 'text/event-stream', ...headers });
  socket.write(`GET ${url.pathname} HTTP/1.1\r\n${lines.map(([name, value]) => `${name}: ${value}\r\n`).join('')}\r\n`);
  socket.pause();
  return socket;
}

describe.each(lines)('a GET without a cursor, SDK $name', { timeout: 60_000 }, (line) => {
  it('takes the place of a connection that its client closes at the same moment, 500 times', async () => {
    const { raw } = await start(line);
    const client = raw();
    await client.begin('2025-06-18');
    expect(await race([client], 500)).toBe(0);
  });

  it('does so on two nodes', async () => {
    const nodes = await startNodes(line, 2);
    const [a, b] = nodes as [Node, Node];
    const client = a.raw();
    await client.begin('2025-06-18');
    expect(await race([client, b.raw(client.headers)], 60)).toBe(0);
  });

  it('takes the place of a connection whose socket takes nothing, and gets what that one was sent', async () => {
    const { raw, handler, store, errors } = await start(line, { keepAliveMs: 100 });
    const client = raw();
    const id = await client.begin('2025-06-18');
    await deafClient(client);
    await eventually(async () => (await recordOf(store, id)).nodeId !== undefined);
    expect((await client.get()).status).toBe(409);
    // More than the buffers of the two sockets hold.
    const large = 'x'.repeat(900_000);
    for (let n = 0; n < 16; n++) await handler.broadcast(said(`${n} ${large}`));
    await pause(300);
    const next = await client.get();
    expect(next.status).toBe(200);
    for (let n = 0; n < 16; n++) {
      const { message } = await next.sse.message();
      expect(message).toEqual({ jsonrpc: '2.0', ...said(`${n} ${large}`) });
    }
    await next.cancel();
    expect(errors).toEqual([]);
  });

  it('is refused while the client takes comments, on its node and on another one', async () => {
    const nodes = await startNodes(line, 2, { leaseMs: 4_500 });
    const [a, b] = nodes as [Node, Node];
    const client = a.raw();
    await client.begin();
    const open = await client.get();
    for (const node of [a, b]) expect((await node.raw(client.headers).get()).status).toBe(409);
    await open.sse.next();
    await open.sse.next();
    // Each of the two GETs had the node send one.
    expect(await open.sse.next()).toEqual({ comment: 'keep-alive' });
    expect(await open.sse.next()).toEqual({ comment: 'keep-alive' });
    await open.cancel();
  });
});
