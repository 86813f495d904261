import { once } from 'node:events';
import { connect, createServer, type AddressInfo, type Socket } from 'node:net';
import { SessionError } from '@mcp-session/core';
import { createSessionStore } from '@mcp-session/core/backend';
import { createMemoryBackend } from '@mcp-session/core/memory';
import { expect, it, onTestFinished, vi } from 'vitest';
import { events } from '../src/lib/commands/events.ts';
import type { Context } from '../src/lib/context.ts';
import { Printer } from '../src/lib/output/printer.ts';
import { run } from './support/cli.ts';
import { storages } from './support/stores.ts';

/** A way to a server that can be cut, and opened again on the same port. */
async function startWay(to: URL) {
  const sockets = new Set<Socket>();
  const server = createServer((socket) => {
    const upstream = connect(Number(to.port), to.hostname);
    for (const each of [socket, upstream]) {
      sockets.add(each);
      each.on('error', () => each.destroy()).on('close', () => sockets.delete(each));
    }
    socket.pipe(upstream).pipe(socket);
  });
  const open = async (port: number) => void (await once(server.listen(port, '127.0.0.1'), 'listening'));
  await open(0);
  const { port } = server.address() as AddressInfo;
  const cut = () => {
    server.close();
    for (const socket of sockets) socket.destroy();
  };
  onTestFinished(cut);
  const url = new URL(to);
  url.host = `127.0.0.1:${port}`;
  return { url: url.href, cut, open: () => open(port) };
}

/** What a command writes on a terminal, and what it notes beside. */
function terminal(signal?: AbortSignal) {
  const written = { stdout: '', stderr: '' };
  const to = (name: keyof typeof written) => ({
    isTTY: true,
    columns: 80,
    write: (text: string) => void (written[name] += text),
  });
  return { written, surroundings: { stdout: to('stdout'), stderr: to('stderr'), env: {}, folder: '.', signal } };
}

it('events --follow says that the database is away, and goes on when it is back', async () => {
  const storage = await storages['postgres']?.();
  const store = await storage?.open();
  const way = await startWay(new URL(storage?.env['MCP_SESSION_STORE'] ?? ''));
  const { id, events: log } = (await store?.create()) ?? { id: '', events: undefined };
  await log?.append('s', 'one');
  const stop = new AbortController();
  const { promise: followed, resolve } = Promise.withResolvers<void>();
  const onOutput = (text: string) => {
    if (text.includes('one')) resolve();
    if (text.includes('two')) stop.abort();
  };
  const notes: string[] = [];
  const env = { MCP_SESSION_STORE: way.url };
  const options = { env, signal: stop.signal, onOutput, onNote: (text: string) => notes.push(text) };
  const ran = run(['events', id, '--follow', ...(storage?.args ?? [])], options);
  await followed;

  way.cut();
  await log?.append('s', 'two');
  await vi.waitFor(() => expect(notes).toEqual(['The store fails (STORE_UNAVAILABLE); waiting for it\n']), 20_000);
  await way.open();

  expect(await ran).toMatchObject({ code: 0, stdout: expect.stringMatching(/"one"\n.*"two"\n$/) });
  expect(notes.slice(1)).toEqual(['The store works again\n']);
});

/** Follows a session whose backend fails when `fails` says so. */
async function followed(fails: () => SessionError | undefined) {
  const backend = createMemoryBackend();
  const { readEvents } = backend;
  backend.readEvents = async (...args) => {
    const failure = fails();
    if (failure !== undefined) throw failure;
    return readEvents.apply(backend, args);
  };
  const { written, surroundings } = terminal();
  const store = await createSessionStore(backend, { sweep: false });
  onTestFinished(() => store.close());
  const session = await store.create();
  const withStore: Context['withStore'] = (work) => work(store, backend);
  const context = { printer: new Printer(surroundings, false), surroundings, withStore } as Context;
  return { written, session, following: events(context, session.id, { limit: 20, follow: true }) };
}

it('events --follow repeats a read that failed for a while, and misses no event', async () => {
  let failures = 0;
  const away = new SessionError('STORE_UNAVAILABLE', 'Session store does not answer', { retryable: true });
  const { written, session, following } = await followed(() => (failures-- > 0 ? away : undefined));
  await session.events.append('s', { jsonrpc: '2.0', method: 'one' });
  await vi.waitFor(() => expect(written.stdout).toContain('one'));

  failures = 1;
  await session.events.append('s', { jsonrpc: '2.0', method: 'two' });
  await vi.waitFor(() => expect(written.stdout).toContain('two'), 10_000);
  await session.end();
  await following;

  // A terminal is narrow, and the version is the same in each message.
  expect(written.stdout.match(/\{.*\}/g)).toEqual(['{"method":"one"}', '{"method":"two"}']);
  expect(written.stderr).toBe('The session has expired or was ended\n');
});

it('events --follow ends with a failure that does not pass', async () => {
  const failures = [undefined, new SessionError('STORE_DENIED', 'Session store refuses the login')];
  const { following } = await followed(() => failures.pop());

  await expect(following).rejects.toMatchObject({ code: 'STORE_DENIED' });
});
