// A node of the chaos test, in a process of its own: `node chaos-node.ts <v1|v2> <store>`. It says
// its port to its parent.
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { setTimeout as pause } from 'node:timers/promises';
import { toNodeHandler } from '../../src/node.ts';
import { openStore, type StoreAddress } from './chaos-store.ts';
import { lines } from './lines.ts';

const [, , name, address = '{}'] = process.argv;
const line = lines.find((each) => each.name === name);
if (line === undefined) throw new Error(`No SDK line ${String(name)}`);
const store = await openStore(JSON.parse(address) as StoreAddress);
/** Longer than a machine that does much else keeps a process waiting. */
const ASK_MS = 10_000;

const handler = line.createHandler({
  store,
  retryIntervalMs: 50,
  restartRetryMs: 50,
  leaseMs: 4_000,
  keepAliveMs: 200,
  onError: (error) => process.send?.({ error: String(error) }),
  serve: ({ state }) => ({
    tools: {
      add: async ({ note }) =>
        JSON.stringify(await state.update('notes', (notes: unknown = []) => [...(notes as unknown[]), note])),
      ask: async ({ what }, { elicit }) => JSON.stringify(await elicit(String(what), ASK_MS)),
      sample: ({ what }, { sample }) => sample(String(what), ASK_MS),
      count: async ({ to }, { progress }) => {
        for (let n = 1; n <= Number(to); n++) {
          await progress(n);
          await pause(20);
        }
        return 'counted';
      },
      say: async ({ what, close = false }, { closeStandaloneStream }, server) => {
        if (close === true) closeStandaloneStream();
        await server.notify('notifications/message', { level: 'info', data: what });
        return 'said';
      },
      poll: async ({ what }, { closeStream }) => {
        for (let i = 0; i < 2; i++) {
          closeStream();
          await pause(150);
        }
        return String(what);
      },
      wait: async (_, { signal }) => {
        await pause(5_000, undefined, { signal }).catch(() => undefined);
        return 'waited';
      },
    },
  }),
});

// The test has ended, perhaps in the middle.
process.once('disconnect', () => process.exit());
const listener = toNodeHandler(handler);
const server = createServer((request, response) => void listener(request, response));
server.listen(0, '127.0.0.1', () => process.send?.({ port: (server.address() as AddressInfo).port }));
