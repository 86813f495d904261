import { StreamableHTTPClientTransport } from '@modelcontextprotocol/client';
import { expect, it, onTestFinished } from 'vitest';
import {
  startBun,
  startDeno,
  startNest,
  startNode,
  startPlainWorker,
  startWorkers,
  startWorkersPerRequest,
} from '../src/runtimes/run.ts';
import { platforms } from '../src/tables/platforms.ts';
import { deploy } from './support/deployment.ts';
import { newPlace } from './support/place.ts';
import { playStory } from './support/story.ts';

const starts = {
  node: startNode,
  nest: startNest,
  bun: startBun,
  deno: startDeno,
  workers: startWorkers,
  workersPerRequest: startWorkersPerRequest,
};
const cases = platforms.flatMap(({ id, name, backends }) =>
  backends.map((backend) => ({ name, start: starts[id], backend })),
);

it.each(cases)('on $name with $backend, a session survives the end of its server', async ({ start, backend }) => {
  const deployment = await deploy(start, await newPlace(backend));
  const cursors: string[] = [];
  const transport = new StreamableHTTPClientTransport(new URL(deployment.url), {
    fetch: (url, init) => {
      cursors.push(new Headers(init?.headers).get('last-event-id') ?? '');
      return fetch(url, init);
    },
  });
  await playStory(deployment, transport);
  expect(cursors.filter((cursor) => cursor.includes('.req-'))).not.toEqual([]);

  const headers = { accept: 'text/event-stream', 'mcp-session-id': transport.sessionId ?? '' };
  await transport.terminateSession();
  expect((await fetch(deployment.url, { headers })).status).toBe(404);
});

const HEADERS = { accept: 'application/json, text/event-stream', 'content-type': 'application/json' };
const INITIALIZE = {
  jsonrpc: '2.0',
  id: 1,
  method: 'initialize',
  params: { protocolVersion: '2025-11-25', capabilities: {}, clientInfo: { name: 'test', version: '1.0.0' } },
};

function post(url: string, body: unknown, headers: Record<string, string> = {}): Promise<Response> {
  return fetch(url, {
    method: 'POST',
    headers: { ...HEADERS, ...headers },
    body: JSON.stringify(body),
    signal: AbortSignal.timeout(20_000),
  });
}

it('on Workers without a Durable Object, the second request gets an error that names the remedy', async () => {
  const worker = await startPlainWorker(await newPlace('memory'));
  onTestFinished(() => worker.kill());
  const first = await post(worker.url, INITIALIZE);
  expect(first.status).toBe(200);
  const session = { 'mcp-session-id': first.headers.get('mcp-session-id') ?? '' };
  await first.text();

  const second = await post(worker.url, { jsonrpc: '2.0', id: 2, method: 'tools/list' }, session);
  expect(second.status).toBe(500);
  expect(await (await fetch(new URL('/errors', worker.url))).json()).toEqual([
    'TypeError: Session store was opened in another request; on Cloudflare Workers, keep the store and the handler in a Durable Object',
  ]);
});

it('on Workers, SQLite is refused when the store is opened', async () => {
  const worker = await startPlainWorker({ backend: 'sqlite', path: 'sessions.db' });
  onTestFinished(() => worker.kill());
  const response = await post(worker.url, INITIALIZE);
  expect(response.status).toBe(500);
  expect(await response.text()).toBe(
    'SessionError: better-sqlite3 does not run on Cloudflare Workers; use PostgreSQL or DynamoDB',
  );
});
