import { cpSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { succeed, type Packed } from './pack.ts';

/** Packs a package once more, under another version. */
export async function repack({ name, unpacked }: Packed, version: string, folder: string): Promise<string> {
  const tarball = join(folder, `${name.replaceAll(/[@/]+/g, '-').slice(1)}-${version}.tgz`);
  // A copy, since other tests read the package.
  const copy = join(folder, version, 'package');
  cpSync(unpacked, copy, { recursive: true });
  const manifest = join(copy, 'package.json');
  const before = JSON.parse(readFileSync(manifest, 'utf8')) as object;
  writeFileSync(manifest, JSON.stringify({ ...before, version }));
  await succeed('tar', ['-czf', tarball, '-C', join(folder, version), 'package']);
  return tarball;
}

/**
 * Serves a session over HTTP, in TypeScript so that the types of both copies meet as well. The HTTP
 * package has one core and the SQLite backend another.
 */
export const SERVER = `import { REMOVE, SessionError, type Session, type SessionStore } from '@mcp-session/core';
import { createEventStore } from '@mcp-session/core/event-store';
import { createSessionHandler } from '@mcp-session/http/v1';
import { createSqliteStore } from '@mcp-session/sqlite';
import { McpServer } from '@modelcontextprotocol/sdk/server/mcp.js';

const path = process.argv[2] ?? 'sessions.db';
const store = await createSqliteStore({ path });
const asUsersWriteIt: SessionStore = store;

async function count(session: Session): Promise<string> {
  return String(await session.state.update('calls', (calls = 0) => calls + 1));
}

const createServer = ({ session }: { session: Session }): McpServer => {
  const server = new McpServer({ name: 'two-cores', version: '1.0.0' });
  server.registerTool('count', {}, async () => ({ content: [{ type: 'text', text: await count(session) }] }));
  return server;
};
const handlers = [0, 1].map(() => createSessionHandler({ store, createServer, onError: () => undefined }));

let id = 0;
const headers: Record<string, string> = {
  accept: 'application/json, text/event-stream',
  'content-type': 'application/json',
  host: 'localhost',
};
async function post(node: number, method: string, params: object): Promise<Response | undefined> {
  const body = JSON.stringify({ jsonrpc: '2.0', id: ++id, method, params });
  return handlers[node]?.fetch(new Request('http://localhost/mcp', { method: 'POST', headers, body }));
}
async function get(lastEventId: string): Promise<number | undefined> {
  const request = new Request('http://localhost/mcp', { headers: { ...headers, 'last-event-id': lastEventId } });
  return (await handlers[0]?.fetch(request))?.status;
}

const clientInfo = { name: 'client', version: '1.0.0' };
const opened = await post(0, 'initialize', { protocolVersion: '2025-06-18', capabilities: {}, clientInfo });
headers['mcp-session-id'] = opened?.headers.get('mcp-session-id') ?? '';
headers['mcp-protocol-version'] = '2025-06-18';
await opened?.text();
const calls: (string | undefined)[] = [];
// Each node makes a server of its own: the second one restores the session from the store.
for (const node of [0, 1]) {
  const answer = (await (await post(node, 'tools/call', { name: 'count' }))?.text()) ?? '';
  calls.push(/"text":"(\\d)"/.exec(answer)?.[1]);
}

const session = await asUsersWriteIt.get(headers['mcp-session-id']);
const eventStore = createEventStore(session ?? (await store.create()));
const foreign = await eventStore.getStreamIdForEventId('1.AAAAAAAA.s');
const refused = await session?.events.append('bad stream', {}).catch((error: unknown) => error);
const removed = await session?.state.update('calls', () => REMOVE);
const unknownCursor = await get('1.AAAAAAAA.s');
await session?.end();
const ended = (await post(0, 'tools/call', { name: 'count' }))?.status;
await store.close();
const closed = (await post(1, 'tools/call', { name: 'count' }))?.status;
for (const handler of handlers) await handler.close();

console.log(
  JSON.stringify({
    calls,
    isSessionError: refused instanceof SessionError,
    foreign: foreign ?? null,
    removed: removed ?? null,
    unknownCursor,
    ended,
    closed,
  }),
);
`;
