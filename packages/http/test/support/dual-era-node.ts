// A node of both eras in a process of its own:
// `node dual-era-node.ts <address of the store in JSON>`. It says its port to its parent, publishes
// when its parent says so, and closes in good order when its parent lets go of it.
import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { toNodeHandler } from '../../src/node.ts';
import { openStore, type StoreAddress } from './chaos-store.ts';
import { dualEraNode, WATCHED } from './modern.ts';

const store = await openStore(JSON.parse(process.argv[2] ?? '') as StoreAddress);
const handler = dualEraNode(store, (error) => void process.stderr.write(`${String(error)}\n`));
const listener = toNodeHandler(handler);
const server = createServer((request, response) => void listener(request, response));
server.listen(0, '127.0.0.1', () => process.send?.((server.address() as AddressInfo).port));
process.on('message', () => handler.notify.resourceUpdated(WATCHED));
process.once('disconnect', () => void stop());

async function stop(): Promise<void> {
  const closed = once(server, 'close');
  server.close();
  await handler.close();
  // What was said last is on its way yet.
  const idle = setInterval(() => server.closeIdleConnections(), 10);
  await closed;
  clearInterval(idle);
  await store.close();
}
