import { toNodeHandler } from '@mcp-session/http/node';
import { createDualEraHandler } from '@mcp-session/http/v2';
import { createSqliteStore } from '@mcp-session/sqlite';
import { execFile } from 'node:child_process';
import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { expect, it, onTestFinished } from 'vitest';
import { createTaskStore } from '../src/index.ts';
import { createOfficialServer, runners } from './support/official-server.ts';

/** The official scenarios. That of notifications makes no check yet. */
const SCENARIOS = [
  'tasks-capability-negotiation',
  'tasks-dispatch-and-envelope',
  'tasks-lifecycle',
  'tasks-mrtr-composition',
  'tasks-mrtr-input',
  'tasks-request-headers',
  'tasks-request-state-removal',
  'tasks-required-task-error',
  'tasks-wire-fields',
];

/** Serves nodes on one file of SQLite. Each request goes to another node than the one before. */
async function serve(count: number): Promise<string> {
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

it.each([1, 2])(
  'passes the official scenarios of tasks on %i node(s) that take turns',
  { timeout: 120_000 },
  async (count) => {
    const folder = await mkdtemp(join(tmpdir(), 'mcp-session-tasks-'));
    onTestFinished(() => rm(folder, { recursive: true, force: true }));
    const manifest = fileURLToPath(import.meta.resolve('@modelcontextprotocol/conformance/package.json'));
    const args = ['server', '--url', await serve(count), '--suite', 'pending', '-o', folder];
    await promisify(execFile)(process.execPath, [join(dirname(manifest), 'dist/index.js'), ...args]).catch(
      // It fails for scenarios of other things.
      () => undefined,
    );
    const names = await readdir(folder);
    for (const scenario of SCENARIOS) {
      const name = names.find((each) => each.startsWith(`server-${scenario}-20`)) ?? '';
      const checks = JSON.parse(await readFile(join(folder, name, 'checks.json'), 'utf8')) as { status: string }[];
      const failed = checks.filter(({ status }) => status !== 'SUCCESS' && status !== 'INFO');
      expect([scenario, checks.length > 0, failed]).toEqual([scenario, true, []]);
    }
  },
);
