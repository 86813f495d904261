import type { SessionStore } from '@mcp-session/core';
import { createSessionStore, type SessionBackend } from '@mcp-session/core/backend';
import { createMemoryBackend } from '@mcp-session/core/memory';
import type { McpSubscription } from '@modelcontextprotocol/client';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { describe, expect, it, onTestFinished } from 'vitest';
import { addresses } from '../support/addresses.ts';
import { openStore, type StoreAddress } from '../support/chaos-store.ts';
import { eventually, gate } from '../support/harness.ts';
import { connectModern, dualEraNode, type ModernClient, WATCHED } from '../support/modern.ts';
import { serve } from '../support/serve.ts';
import { v1 } from '../support/v1.ts';
import { v2 } from '../support/v2.ts';

interface Node {
  readonly url: URL;
  publish(): void;
  /** Stops in good order. */
  stop(): Promise<void>;
  kill(): Promise<void>;
}

async function startNode(address: StoreAddress): Promise<Node> {
  const file = fileURLToPath(new URL('../support/dual-era-node.ts', import.meta.url));
  const child = spawn(process.execPath, ['--conditions=@mcp-session/source', file, JSON.stringify(address)], {
    stdio: ['ignore', 'ignore', 'inherit', 'ipc'],
  });
  const exited = once(child, 'exit');
  const kill = async (): Promise<void> => {
    child.kill('SIGKILL');
    await exited;
  };
  onTestFinished(kill);
  const [port] = (await once(child, 'message')) as [number];
  return {
    url: new URL(`http://127.0.0.1:${port}/mcp`),
    publish: () => void child.send('publish'),
    kill,
    stop: async () => {
      child.disconnect();
      expect(await exited).toEqual([0, null]);
    },
  };
}

/** Connects and listens. */
async function listener(url: URL): Promise<ModernClient & { readonly subscription: McpSubscription }> {
  const modern = await connectModern(url);
  onTestFinished(() => modern.client.close());
  return { ...modern, subscription: await modern.listen() };
}

describe.each(addresses)('subscriptions/listen over several nodes: %s', { timeout: 60_000 }, (_, newAddress) => {
  it('a client gets what another node publishes, once, and listens again elsewhere when its node is killed or stops', async () => {
    const address = await newAddress();
    const store = await openStore(address);
    onTestFinished(() => store.close());
    const [a, b, c] = await Promise.all([startNode(address), startNode(address), startNode(address)]);
    const [onA, onB] = [await listener(a.url), await listener(b.url)];
    expect(onA.subscription.honoredFilter).toEqual({ toolsListChanged: true, resourceSubscriptions: [WATCHED] });

    b.publish();
    await eventually(() => onA.heard.length === 1 && onB.heard.length === 1);
    a.publish();
    await eventually(() => onA.heard.length === 2 && onB.heard.length === 2);

    await a.kill();
    expect(await onA.subscription.closed).toBe('remote');
    const again = await listener(c.url);
    b.publish();
    await eventually(() => again.heard.length === 1 && onB.heard.length === 3);

    await b.stop();
    expect(await onB.subscription.closed).toBe('graceful');
    c.publish();
    await eventually(() => again.heard.length === 2);
    // Whatever is doubled has had the time to come.
    c.publish();
    await eventually(() => again.heard.length === 3);
    expect([onA.heard.length, onB.heard.length]).toEqual([2, 3]);
    expect(await store.count()).toBe(0);
  });

  it('clients of both eras share the nodes: only the older ones get a session, and any node serves it', async () => {
    const address = await newAddress();
    const store = await openStore(address);
    onTestFinished(() => store.close());
    const nodes = await Promise.all([startNode(address), startNode(address)]);
    let count = 0;
    const turns: typeof fetch = (input, init) => {
      const url = new URL(input instanceof Request ? input.url : input);
      url.port = nodes[count++ % nodes.length]?.url.port ?? '';
      return fetch(url, init);
    };
    const [{ url }] = nodes;

    const modern = await connectModern(url, { fetch: turns });
    onTestFinished(() => modern.client.close());
    await modern.listen();
    for (let call = 0; call < 4; call++) {
      const { content } = await modern.client.callTool({ name: 'era', arguments: {} });
      expect(content).toEqual([{ type: 'text', text: 'stateless' }]);
    }
    expect([modern.transport.sessionId, await store.count()]).toEqual([undefined, 0]);

    for (const [sessions, line] of [v1, v2].entries()) {
      const old = await line.connect(url, { fetch: turns });
      for (let call = 0; call < 4; call++) expect(await old.call('era')).toBe('session');
      expect(await store.count()).toBe(sessions + 1);
      await old.close();
    }
  });
});

/** A backend in memory whose reads of events can be held up, and can fail. */
function hinderedBackend(): { readonly backend: SessionBackend; hinder: (() => Promise<void>) | undefined } {
  const hindered: { backend: SessionBackend; hinder: (() => Promise<void>) | undefined } = {
    hinder: undefined,
    backend: new Proxy(createMemoryBackend(), {
      get(target, name: keyof SessionBackend) {
        const value: unknown = Reflect.get(target, name);
        if (typeof value !== 'function') return value;
        return (...args: unknown[]): unknown => {
          const call = (): unknown => Reflect.apply(value, target, args);
          return name === 'readEvents' && hindered.hinder !== undefined ? hindered.hinder().then(call) : call();
        };
      },
    }),
  };
  return hindered;
}

describe('subscriptions/listen and a store that is slow or fails', () => {
  /** Two nodes on one backend, each with a store of its own. */
  async function twoNodes(backend: SessionBackend, onError: (error: unknown) => void) {
    const stores: SessionStore[] = [await createSessionStore(backend), await createSessionStore(backend)];
    const handlers = stores.map((store) => dualEraNode(store, onError));
    const served = await Promise.all(handlers.map((handler) => serve(handler)));
    onTestFinished(async () => {
      await Promise.all(handlers.map((handler) => handler.close()));
      await Promise.all(served.map((each) => each.close()));
    });
    const [first, second] = [served[0]?.url ?? new URL('x:'), handlers[1]];
    return { url: first, publish: () => second?.notify.resourceUpdated(WATCHED) };
  }

  it('a change that is published after the acknowledgement arrives, however slow the store is', async () => {
    const hindered = hinderedBackend();
    const { url, publish } = await twoNodes(hindered.backend, () => undefined);
    const { client, heard, listen } = await connectModern(url);
    onTestFinished(() => client.close());
    const [reading, open] = [gate(), gate()];
    hindered.hinder = async () => {
      reading.open();
      await open.passed;
    };
    let acknowledged = false;
    const listening = listen().then(() => (acknowledged = true));
    await reading.passed;
    // Long enough for an acknowledgement that does not wait for the store.
    await new Promise((resolve) => setTimeout(resolve, 200));
    const early = acknowledged;
    if (early) publish();
    open.open();
    await listening;
    if (!early) publish();
    await eventually(() => heard.length === 1);
    expect(early).toBe(false);
  });

  it('changes that were published while the store failed arrive as soon as it works again', async () => {
    const hindered = hinderedBackend();
    const errors: unknown[] = [];
    const { url, publish } = await twoNodes(hindered.backend, (error) => void errors.push(error));
    const { client, heard, listen } = await connectModern(url);
    onTestFinished(() => client.close());
    await listen();
    publish();
    await eventually(() => heard.length === 1);
    const gone = new Error('The database is gone');
    hindered.hinder = () => Promise.reject(gone);
    publish();
    await eventually(() => errors.length > 0);
    hindered.hinder = undefined;
    publish();
    await eventually(() => heard.length === 3);
    expect(heard).toEqual([WATCHED, WATCHED, WATCHED]);
  });
});
