import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { expect, it, onTestFinished } from 'vitest';
import { run } from './support/cli.ts';
import { storages } from './support/stores.ts';

it('studio serves the page on loopback to who has the printed address, until it is stopped', async () => {
  const storage = await storages['sqlite']?.();
  const store = await storage?.open();
  const session = await store?.create({ principal: 'alice' });
  const stop = new AbortController();
  const printed = Promise.withResolvers<string>();
  const onOutput = (text: string) => printed.resolve(text);
  const args = ['studio', '--json', '--read-only', ...(storage?.args ?? [])];
  const ran = run(args, { signal: stop.signal, onOutput });
  const { url } = JSON.parse(await printed.promise) as { url: string };
  const { origin, hash } = new URL(url);
  expect(url).toMatch(/^http:\/\/127\.0\.0\.1:\d+\/#token=[\w-]{32}$/);
  const ask = (name: string, token: string, body: object = {}) =>
    fetch(`${origin}/api/${name}`, {
      method: 'POST',
      headers: { 'content-type': 'application/json', authorization: `Bearer ${token}` },
      body: JSON.stringify(body),
    });
  const token = hash.slice('#token='.length);

  expect(await (await fetch(origin)).text()).toContain('<title>Sessions</title>');
  expect((await ask('sessions', 'guess')).status).toBe(403);
  expect((await ask('sessions', '')).status).toBe(403);
  expect(await (await ask('sessions', token)).json()).toMatchObject({ sessions: [{ principal: 'alice' }] });
  expect((await ask('end', token, { id: session?.id })).status).toBe(403);
  stop.abort();
  expect(await ran).toMatchObject({ code: 0, stderr: '' });
  await expect(fetch(origin)).rejects.toThrow('fetch failed');
});

it('studio says what to do if its port is taken', async () => {
  const storage = await storages['sqlite']?.();
  await storage?.open();
  const other = createServer().listen(0, '127.0.0.1');
  onTestFinished(() => void other.close());
  await new Promise((resolve) => other.once('listening', resolve));
  const { port } = other.address() as AddressInfo;

  const ran = await run(['studio', '--port', String(port), ...(storage?.args ?? [])]);
  expect(ran).toMatchObject({ code: 1, stdout: '' });
  expect(ran.stderr).toContain('Give another --port, or 0 for a free one.');
  expect((await run(['studio', '--port', '99999', ...(storage?.args ?? [])])).code).toBe(2);
});
