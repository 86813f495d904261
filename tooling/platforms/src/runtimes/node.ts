import { toNodeHandler } from '@mcp-session/http/node';
import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { createHandler } from './handler.ts';
import { openStore, type Place } from './store.ts';

const [place = ''] = process.argv.slice(2);
const handler = createHandler(await openStore(JSON.parse(place) as Place), {});
const mcp = toNodeHandler(handler);
const server = createServer((request, response) => void mcp(request, response));
await once(server.listen(0, '127.0.0.1'), 'listening');
console.log(`Node listens on http://127.0.0.1:${(server.address() as AddressInfo).port}/mcp`);
