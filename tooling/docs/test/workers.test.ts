import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { createTestDatabase } from '@mcp-session-tooling/databases';
import { startWorker } from '@mcp-session-tooling/platforms/workers';
import { Client, StreamableHTTPClientTransport } from '@modelcontextprotocol/client';
import { expect, inject, it, onTestFinished } from 'vitest';
import { blocksOfPage, folderWith } from './support/pasted.ts';

// What the page presupposes, with a tool that counts.
const PRESUPPOSED = `
import type { Session } from '@mcp-session/core';
import { createSessionHandler, type SessionHandler } from '@mcp-session/http/v2';
import { createPostgresStore } from '@mcp-session/postgres';
import { McpServer } from '@modelcontextprotocol/server';

const createServer = ({ session }: { readonly session: Session }): McpServer => {
  const server = new McpServer({ name: 'notes', version: '1.0.0' });
  server.registerTool('visit', {}, async () => {
    const visits = await session.state.update('visits', (n = 0) => n + 1);
    return { content: [{ type: 'text', text: \`visit \${visits}\` }] };
  });
  return server;
};
`;

it('the Worker of the page serves a session, and another one goes on with it', { timeout: 60_000 }, async () => {
  const { url: DATABASE_URL, dispose } = await createTestDatabase(inject('postgres').url);
  onTestFinished(() => dispose());
  const [block] = blocksOfPage('docs/guides/serving.md', 'Cloudflare Workers');
  const folder = folderWith({ 'worker.ts': `${PRESUPPOSED}${block?.code}` });
  const start = async () => {
    const worker = await startWorker(
      pathToFileURL(join(folder, 'worker.ts')),
      { DATABASE_URL },
      { SESSIONS: 'Sessions' },
    );
    onTestFinished(() => worker.kill());
    return worker;
  };
  let worker = await start();
  const client = new Client({ name: 'reader', version: '1.0.0' });
  const toWorker: typeof fetch = (_, init) => fetch(worker.url, init);
  await client.connect(new StreamableHTTPClientTransport(new URL('http://localhost/mcp'), { fetch: toWorker }));
  onTestFinished(() => client.close());
  const visit = async () => (await client.callTool({ name: 'visit' })).content;
  expect(await visit()).toEqual([{ type: 'text', text: 'visit 1' }]);

  await worker.kill();
  worker = await start();

  expect(await visit()).toEqual([{ type: 'text', text: 'visit 2' }]);
});
