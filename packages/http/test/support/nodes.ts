import type { SessionStore, SessionStoreOptions } from '@mcp-session/core';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { onTestFinished } from 'vitest';
import type { SessionHandler } from '../../src/v1.ts';
import { openStore, type StoreAddress } from './chaos-store.ts';
import type { Line, TestAuth, TestOptions } from './line.ts';
import { RawClient } from './raw.ts';
import { type Served, serve } from './serve.ts';

/** One of several nodes of one deployment: a store and a handler of its own. */
export interface Node {
  readonly store: SessionStore;
  readonly handler: SessionHandler<TestAuth>;
  readonly served: Served;
  readonly url: URL;
  readonly errors: unknown[];
  /** A client that talks to this node, as the session that the headers name. */
  raw(headers?: Record<string, string>): RawClient;
}

export type NodeOptions = Partial<Omit<TestOptions, 'serve' | 'store'>> & {
  /** Gives what they share. Default: a new file of SQLite. */
  readonly newAddress?: () => Promise<StoreAddress>;
  /** Options of each node's store. */
  readonly store?: SessionStoreOptions;
  /** What the server of a session on a node is made of. */
  readonly serve?: (node: number, ...given: Parameters<TestOptions['serve']>) => ReturnType<TestOptions['serve']>;
};

/** A path for a file of its own; gone when the test is. */
export async function newFile(): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'mcp-session-http-'));
  onTestFinished(() => rm(folder, { recursive: true, force: true }));
  return join(folder, 'sessions.db');
}

async function newSqlite(): Promise<StoreAddress> {
  return { kind: 'sqlite', path: await newFile() };
}

/** Nodes that share one database and nothing else; gone when the test is. */
export async function startNodes(line: Line, count: number, options: NodeOptions = {}): Promise<Node[]> {
  const { serve: serveOn = () => ({ tools: {} }), newAddress = newSqlite, store: storeOptions, ...others } = options;
  const address = await newAddress();
  const nodes: Node[] = [];
  for (let index = 0; index < count; index++) {
    const store: SessionStore = await openStore(address, storeOptions);
    const errors: unknown[] = [];
    const handler = line.createHandler({
      ...others,
      store,
      serve: (...given) => serveOn(index, ...given),
      onError: (error) => void errors.push(error),
    });
    const served = await serve(handler);
    nodes.push({
      store,
      handler,
      served,
      url: served.url,
      errors,
      raw: (headers) => new RawClient(served.url, headers),
    });
  }
  onTestFinished(async () => {
    await Promise.all(nodes.map(({ handler }) => handler.close()));
    await Promise.all(nodes.map(({ served }) => served.close()));
    await Promise.all(nodes.map(({ store }) => store.close()));
  });
  return nodes;
}

/** A `fetch` that sends each request to the next node, by whatever rule. */
export function routed(
  nodes: readonly Node[],
  pick: (count: number, init: RequestInit | undefined) => number,
): typeof fetch {
  let count = 0;
  return (input, init) => {
    const url = new URL(input instanceof Request ? input.url : input);
    url.port = nodes[pick(count++, init) % nodes.length]?.url.port ?? url.port;
    return fetch(url, init);
  };
}
