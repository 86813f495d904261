import { Client, StreamableHTTPClientTransport } from '@modelcontextprotocol/client';
import { Client as ClientV1 } from '@modelcontextprotocol/sdk/client/index.js';
import { StreamableHTTPClientTransport as TransportV1 } from '@modelcontextprotocol/sdk/client/streamableHttp.js';
import { setTimeout as pause } from 'node:timers/promises';
import { describe, expect, it, onTestFinished } from 'vitest';
import { addresses } from '../support/addresses.ts';
import { openStore, type StoreAddress } from '../support/chaos-store.ts';
import { eventually } from '../support/harness.ts';
import { lines } from '../support/lines.ts';
import { startProcess } from '../support/process.ts';
import { startProxy } from '../support/proxy.ts';
import { RawClient } from '../support/raw.ts';

/** So long that no test waits for it. */
const LEASE_MS = 60_000;
/** The promise is a second. This leaves room for a busy machine, and is far below the lease. */
const BUSY_MS = 20_000;

const at = (port: number): URL => new URL(`http://127.0.0.1:${port}/mcp`);

/** A database, and how to wait until the node that runs the call is known to it. */
async function open(newAddress: () => Promise<StoreAddress>) {
  const address = await newAddress();
  const store = await openStore(address);
  onTestFinished(() => store.close());
  const identified = () =>
    eventually(async () => {
      const { sessions } = await store.list({ kind: 'node' });
      return sessions.some(({ metadata }) => metadata['process'] !== undefined);
    });
  return { address: JSON.stringify(address), identified };
}

const HANG = { name: 'hang', arguments: {} };

/** Clients with the options that the SDK gives them. */
const clients = [
  [
    'v1',
    async (url: URL) => {
      const client = new ClientV1({ name: 'test', version: '1' });
      await client.connect(new TransportV1(url));
      const call = (onprogress: () => void) => client.callTool(HANG, undefined, { onprogress, timeout: 30_000 });
      return { call, ping: () => client.ping(), close: () => client.close() };
    },
  ],
  [
    'v2',
    async (url: URL) => {
      const client = new Client({ name: 'test', version: '1' });
      await client.connect(new StreamableHTTPClientTransport(url));
      const call = (onprogress: () => void) => client.callTool(HANG, { onprogress, timeout: 30_000 });
      return { call, ping: () => client.ping(), close: () => client.close() };
    },
  ],
] as const;

describe.each(addresses)('on %s, a node that was killed', { timeout: 60_000 }, (_, newAddress) => {
  it.each(lines)('is known to be dead at once, and a suspended one is not, SDK $name', async (line) => {
    const { address, identified } = await open(newAddress);
    const runs = await startProcess([line.name, address, 0, LEASE_MS]);
    const waits = await startProcess([line.name, address, 0, LEASE_MS]);
    const client = new RawClient(at(runs.port));
    await client.begin();
    const call = await client.callTool('hang');
    const cursor = (await call.sse.next())?.id ?? '';
    const elsewhere = new RawClient(at(waits.port), client.headers);
    const resumed = await elsewhere.get({ 'last-event-id': cursor });
    let isTold = false;
    const told = resumed.sse.rest().then((frames) => {
      isTold = true;
      return frames.at(-1)?.data;
    });

    await identified();
    runs.stop();
    await pause(1_500);
    expect(isTold).toBe(false);
    const killedAt = performance.now();
    await runs.kill();
    expect(await told).toContain('interrupted');
    expect(performance.now() - killedAt).toBeLessThan(BUSY_MS);

    // A client that comes only now gets its error as soon.
    const again = await elsewhere.get({ 'last-event-id': cursor });
    expect((await again.sse.rest()).at(-1)?.data).toContain('interrupted');
  });

  it.each(clients)('costs a client as the SDK makes it its call and no more, SDK %s', async (name, connect) => {
    const { address, identified } = await open(newAddress);
    const first = await startProcess([name, address, 0, LEASE_MS]);
    const second = await startProcess([name, address, 0, LEASE_MS]);
    let ports = [first.port];
    const proxy = await startProxy(() => ports);
    onTestFinished(() => proxy.close());
    const client = await connect(proxy.url);
    onTestFinished(() => client.close());
    let progress = 0;
    const failed = client.call(() => void progress++).then(String, String);
    await eventually(() => progress > 0);
    await identified();
    ports = [second.port];
    const killedAt = performance.now();
    await first.kill();
    expect(await failed).toContain('interrupted');
    expect(performance.now() - killedAt).toBeLessThan(BUSY_MS);
    expect(await client.ping()).toBeDefined();
  });
});
