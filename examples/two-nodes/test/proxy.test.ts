import { startProxy } from '@mcp-session-examples/two-nodes/proxy';
import { once } from 'node:events';
import { createServer, type RequestListener } from 'node:http';
import type { AddressInfo } from 'node:net';
import { expect, it, onTestFinished } from 'vitest';

async function listen(listener: RequestListener): Promise<string> {
  const server = createServer(listener);
  await once(server.listen(0, '127.0.0.1'), 'listening');
  onTestFinished(() => {
    server.close();
    server.closeAllConnections();
  });
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

async function proxyTo(...nodes: readonly string[]): Promise<string> {
  const abort = new AbortController();
  onTestFinished(() => abort.abort());
  return startProxy(nodes, { signal: abort.signal });
}

const answering = (text: string): Promise<string> =>
  listen((request, response) => void request.toArray().then((body) => response.end(text + body.join(''))));
/** Takes a request and breaks the connection off, as a process that is killed does. */
const dying = (): Promise<string> => listen((request) => request.socket.destroy());

async function deadPort(): Promise<string> {
  const server = createServer();
  await once(server.listen(0, '127.0.0.1'), 'listening');
  const { port } = server.address() as AddressInfo;
  server.close();
  return `http://127.0.0.1:${port}`;
}

it('sends each request to the next node, with its path and body', async () => {
  const url = await proxyTo(await answering('a'), await listen((request, response) => response.end(request.url)));
  const post = async (): Promise<string> => (await fetch(`${url}/x?y=1`, { method: 'POST', body: '!' })).text();
  expect([await post(), await post(), await post()]).toEqual(['a!', '/x?y=1', 'a!']);
});

it('passes over a node that cannot be reached, whatever the request', async () => {
  const url = await proxyTo(await deadPort(), await answering('a'));
  for (const method of ['POST', 'GET', 'POST', 'DELETE']) expect(await (await fetch(url, { method })).text()).toBe('a');
});

it('sends a GET again when its node dies, and never a POST', async () => {
  const url = await proxyTo(await dying(), await answering('a'));
  expect(await (await fetch(url)).text()).toBe('a');
  // Round the clock: the dying node is the next one.
  expect((await fetch(url, { method: 'POST', body: '!' })).status).toBe(502);
});

it('says so when no node is left', async () => {
  const url = await proxyTo(await deadPort(), await deadPort());
  expect([(await fetch(url)).status, (await fetch(url, { method: 'POST' })).status]).toEqual([502, 502]);
});

it('ends an answer that has begun when its node dies, and the request when the client goes', async () => {
  const gone = Promise.withResolvers<void>();
  const half = await listen((_, response) => void response.write('half', () => response.destroy()));
  const silent = await listen((_, response) => {
    response.once('close', gone.resolve);
    response.flushHeaders();
  });
  const url = await proxyTo(half, silent);
  await expect(fetch(url).then((response) => response.text())).rejects.toThrow('terminated');
  await (await fetch(url)).body?.cancel();
  await gone.promise;
});
