import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createServer, type AddressInfo } from 'node:net';
import { fileURLToPath } from 'node:url';
import { expect, it, onTestFinished } from 'vitest';
import { storages } from './support/stores.ts';

const MAIN = fileURLToPath(new URL('../src/main.ts', import.meta.url));

function start(args: readonly string[]) {
  const child = spawn(process.execPath, ['--conditions=@mcp-session/source', MAIN, ...args], { stdio: 'pipe' });
  let stderr = '';
  child.stderr.setEncoding('utf8').on('data', (text: string) => (stderr += text));
  const ended = once(child, 'close').then(([code]) => ({ code: code as number | null, stderr }));
  onTestFinished(() => void child.kill('SIGKILL'));
  return { child, ended };
}

it('events --follow waits for events until Ctrl+C, and a reader such as head may close the pipe early', async () => {
  const storage = await storages['sqlite']?.();
  const store = await storage?.open();
  const { id, events } = (await store?.create()) ?? {};
  await events?.append('s', 'one');
  const args = ['events', id ?? '', '--json', '--follow', ...(storage?.args ?? [])];
  const [follower, head] = [start(args), start(args)];
  await Promise.all([follower, head].map(({ child }) => once(child.stdout, 'data')));
  head.child.stdout.destroy();

  await events?.append('s', 'two');
  await once(follower.child.stdout, 'data');
  follower.child.kill('SIGINT');

  expect(await follower.ended).toEqual({ code: 0, stderr: '' });
  expect(await head.ended).toEqual({ code: 0, stderr: '' });
});

it('Ctrl+C ends a command that waits for a database', async () => {
  const connected = Promise.withResolvers<void>();
  const silent = createServer(() => connected.resolve()).listen(0, '127.0.0.1');
  onTestFinished(() => void silent.close());
  await once(silent, 'listening');
  const { port } = silent.address() as AddressInfo;
  const { child, ended } = start(['ls', '--store', `postgres://me@127.0.0.1:${port}/x`]);
  await connected.promise;

  child.kill('SIGINT');

  expect(await ended).toEqual({ code: 130, stderr: '' });
});
