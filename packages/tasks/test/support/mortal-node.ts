// A node in a process of its own: `node mortal-node.ts <address as JSON> <death>`. It says its port
// to its parent.
import { toNodeHandler } from '@mcp-session/http/node';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { mortalNode, type Address, type Death } from './mortal.ts';

const [address = '', death] = process.argv.slice(2);
const { handler } = await mortalNode(JSON.parse(address) as Address, death as Death);
process.once('disconnect', () => process.exit());
const listener = toNodeHandler(handler);
const http = createServer((request, response) => void listener(request, response));
http.listen(0, '127.0.0.1', () => process.send?.((http.address() as AddressInfo).port));
