import { createMemoryStore } from '@mcp-session/core/memory';
import { describe, expect, it, onTestFinished } from 'vitest';
import { Journal } from '../../src/lib/reports/journal.ts';
import { LocalSession } from '../../src/lib/session/local-session.ts';
import { StoreHealth } from '../../src/lib/store/health.ts';
import { SessionTransport } from '../../src/lib/session/transport.ts';
import { Bounds } from '../../src/lib/stream/bounds.ts';
import { ServerRequestIds } from '../../src/lib/session/server-request-ids.ts';

describe('the lease of running requests', () => {
  it('is kept by a request that begins at the moment when the last one ends', async () => {
    const store = await createMemoryStore();
    onTestFinished(() => store.close());
    const session = await store.create();
    for (let turns = 0; turns < 12; turns++) {
      let leases = 0;
      const quiet = (): void => undefined;
      const health = new StoreHealth(false, quiet, quiet);
      const lease = {
        begin: () => (leases++, () => void leases--),
        runsUntil: async () => 0,
        untilOver: async () => undefined,
      };
      const bounds = new Bounds({
        maxOpenRequests: 9,
        maxOpenRequestsPerPrincipal: 9,
        maxOpenRequestsPerProcess: 9,
        maxOpenStreams: 9,
        maxOpenStreamsPerPrincipal: 9,
      });
      const context = {
        nodeId: 'test',
        startedAt: 0,
        revision: undefined,
        abandonAfterMs: undefined,
        lease,
        sessionTtlMs: undefined,
        platformSessions: { renew: async () => undefined },
        keepAliveMs: 0,
        retryIntervalMs: 1,
        restartRetryMs: 1,
        maxStreamMs: Infinity,
        standaloneStream: true,
        health,
        bounds,
        journal: new Journal({}),
      };
      const server = { connect: async () => undefined, close: (): Promise<void> => transport.close() };
      const local = new LocalSession(session, server, { ...context, onClosed: quiet, onError: quiet });
      const { transport } = local;
      const begin = (id: number): void => {
        const stream = { streamId: `stream-${id}`, sinceSeq: 0, append: async () => undefined, settleLater: quiet };
        transport.request({ jsonrpc: '2.0', id, method: 'test' }, stream, undefined, () => undefined);
        local.inbox.watch();
      };
      begin(1);
      const sent = transport.send({ jsonrpc: '2.0', id: 1, result: {} });
      for (let turn = 0; turn < turns; turn++) await Promise.resolve();
      begin(2);
      await sent;
      await new Promise(setImmediate);
      expect([turns, leases]).toEqual([turns, 1]);
      await local.close();
      await new Promise(setImmediate);
      expect(leases).toBe(0);
    }
  });

  it("is released even if the application's onclose throws", async () => {
    const store = await createMemoryStore();
    onTestFinished(() => store.close());
    let ended = 0;
    const transport = new SessionTransport('id', new ServerRequestIds('0123456789abcdef'), {
      append: async () => undefined,
      onServerRequest: () => undefined,
      onClosed: () => void ended++,
    });
    transport.onclose = () => {
      throw new Error('thrown by the application');
    };
    await expect(transport.close()).rejects.toThrow('thrown by the application');
    expect(ended).toBe(1);
  });

  it('does not take a request any more that comes when it is closed', async () => {
    const transport = new SessionTransport('id', new ServerRequestIds('0123456789abcdef'), {
      append: async () => undefined,
      onServerRequest: () => undefined,
      onClosed: () => undefined,
    });
    const handed: unknown[] = [];
    transport.onmessage = (message) => void handed.push(message);
    await transport.close();
    const stream = { streamId: 's', sinceSeq: 0, append: async () => undefined, settleLater: () => undefined };
    const dropped: string[] = [];
    transport.request(
      { jsonrpc: '2.0', id: 1, method: 'test' },
      stream,
      undefined,
      () => undefined,
      (why) => {
        dropped.push(why);
      },
    );
    expect([dropped, handed, transport.open.size]).toEqual([['interrupted'], [], 0]);
  });
});
