// A server in a process of its own: `node child.ts <v1|v2> <path or address> <port> [leaseMs]
// [listenAt]`. The address of a store is JSON; a path is that of an SQLite file. With `default`
// instead of a lease, every option has its default. It listens from `listenAt` on, in Unix
// milliseconds, and says its port to its parent.
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { setTimeout as pause } from 'node:timers/promises';
import { toNodeHandler } from '../../src/node.ts';
import { openStore, type StoreAddress } from './chaos-store.ts';
import type { Tool } from './line.ts';
import { lines } from './lines.ts';

const [, , name, path = '', port = '0', leaseMs = '1000', listenAt = '0'] = process.argv;
const line = lines.find((each) => each.name === name);
if (line === undefined) throw new Error(`No SDK line ${String(name)}`);
const address: StoreAddress = path.startsWith('{') ? (JSON.parse(path) as StoreAddress) : { kind: 'sqlite', path };
const store = await openStore(address);

/** Says numbers on its own stream and on the standalone one, as fast as they are stored. */
const count: Tool = async ({ from, to, every = 0 }, { progress }, server) => {
  for (let n = Number(from); n <= Number(to); n++) {
    await progress(n);
    await server.notify('notifications/message', { level: 'info', data: n });
    if (Number(every) > 0) await pause(Number(every));
  }
  return 'counted';
};

const handler = line.createHandler({
  store,
  ...(leaseMs !== 'default' && { retryIntervalMs: 50, restartRetryMs: 50, leaseMs: Number(leaseMs) }),
  serve: ({ state }) => ({
    tools: {
      count,
      add: async ({ note }) =>
        JSON.stringify(await state.update('notes', (notes: unknown = []) => [...(notes as unknown[]), note])),
      tell: async (_, { notify }) => {
        await notify('notifications/message', { level: 'info', data: 'told' });
        return 'answered';
      },
      ask: async (_, { elicit }) => JSON.stringify(await elicit('name?')),
      hang: async (_, { progress, signal }) => {
        await progress(1);
        await pause(60_000, undefined, { signal });
        return 'late';
      },
      stuck: async (_, { progress }) => {
        await progress(1);
        await pause(2_000);
        return 'late';
      },
    },
  }),
});

const listener = toNodeHandler(handler);
await pause(Math.max(0, Number(listenAt) - Date.now()));
const server = createServer((request, response) => void listener(request, response));
server.listen(Number(port), '127.0.0.1', () => process.send?.((server.address() as AddressInfo).port));
