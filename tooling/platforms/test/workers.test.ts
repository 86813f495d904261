import { expect, it, onTestFinished } from 'vitest';
import { startPlainWorker } from '../src/runtimes/run.ts';
import { newPlace } from './support/place.ts';
import { casesOf, playOnPlatform } from './support/platforms.ts';

it.each(casesOf('workers'))('on $name with $backend, a session survives the end of its server', playOnPlatform);

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
