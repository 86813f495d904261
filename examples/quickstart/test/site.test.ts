import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { expect, it, onTestFinished } from 'vitest';
import { createSite } from '../src/site.ts';

it('is ready while its store answers and it is not stopping, and asks once for many probes', async () => {
  let stopping = false;
  let questions = 0;
  const first = Promise.withResolvers<unknown>();
  let store = (): Promise<unknown> => first.promise;
  const site = createSite({
    url: 'http://localhost/mcp',
    whereSessionsAre: 'in <memory>',
    askStore: () => {
      questions++;
      return store();
    },
    isStopping: () => stopping,
  });
  let requests = 0;
  const http = createServer((request, response) => {
    requests++;
    site(request, response);
  }).listen(0, '127.0.0.1');
  onTestFinished(() => void http.close());
  await once(http, 'listening');
  const { port } = http.address() as AddressInfo;
  const get = async (path: string): Promise<string> => {
    const response = await fetch(`http://127.0.0.1:${port}${path}`);
    return `${response.status} ${await response.text()}`;
  };

  const probes = Promise.all(Array.from({ length: 5 }, () => get('/readyz')));
  await expect.poll(() => requests, { timeout: 10_000 }).toBe(5);
  expect(questions).toBe(1);
  first.resolve(undefined);
  expect(new Set(await probes)).toEqual(new Set(['200 ready\n']));
  store = () => Promise.reject(new Error('secret'));
  expect(await get('/readyz')).toBe('503 the store fails\n');
  expect(await get('/healthz')).toBe('200 ok\n');
  stopping = true;
  expect(await get('/readyz')).toBe('503 stopping\n');
  expect(await get('/')).toContain('Sessions are in &lt;memory&gt;.');
});
