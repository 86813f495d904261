import { toNodeHandler } from '@mcp-session/http/node';
import { createDualEraHandler } from '@mcp-session/http/v2';
import { createSqliteStore } from '@mcp-session/sqlite';
import { mkdtemp, rm } from 'node:fs/promises';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { onTestFinished } from 'vitest';
import { createTaskStore } from '../../src/index.ts';
import { createOfficialServer, runners } from './official-server.ts';

/** Serves nodes on one file of SQLite. Each request goes to another node than the one before. */
export async function serveOfficial(count: number): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'mcp-session-tasks-'));
  const nodes = await Promise.all(
    Array.from({ length: count }, async () => {
      const store = await createSqliteStore({ path: join(folder, 'sessions.db') });
      const tasks = createTaskStore(store, { runners, pollIntervalMs: 100 });
      const makeServer = () => createOfficialServer(tasks);
      const handler = createDualEraHandler({
        store,
        createServer: makeServer,
        createStatelessServer: makeServer,
        // The scenarios send what is refused on purpose.
        onError: () => undefined,
      });
      onTestFinished(async () => {
        await handler.close();
        await store.close();
        await rm(folder, { recursive: true, force: true });
      });
      return toNodeHandler(handler);
    }),
  );
  let turn = 0;
  const server = createServer((request, response) => {
    void nodes[turn++ % nodes.length]?.(request, response);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  onTestFinished(() => {
    server.closeAllConnections();
    server.close();
  });
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}/mcp`;
}
