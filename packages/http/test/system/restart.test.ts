import { createSqliteStore } from '@mcp-session/sqlite';
import { setTimeout as pause } from 'node:timers/promises';
import { expect, it, onTestFinished } from 'vitest';
import { eventually } from '../support/harness.ts';
import type { Line } from '../support/line.ts';
import { lines } from '../support/lines.ts';
import { newFile } from '../support/nodes.ts';
import { startProcess } from '../support/process.ts';

const AWAY_MS = 8_000;
/** Two tries, and the rest of the lease. */
const PATIENCE_MS = 40_000;
const LATEST = '2025-11-25';

/** A `fetch` of a client that asks for this revision. */
const speaking =
  (revision: string): typeof fetch =>
  (input, init) =>
    fetch(
      input,
      typeof init?.body === 'string' ? { ...init, body: init.body.replace(`"${LATEST}"`, `"${revision}"`) } : init,
    );

/** @returns What a client got over a restart. */
async function restart(line: Line, revision: string): Promise<unknown> {
  const path = await newFile();
  const server = await startProcess([line.name, path, 0, 'default']);
  const url = new URL(`http://127.0.0.1:${server.port}/mcp`);
  const client = await line.connect(url, { fetch: speaking(revision) });
  const progress: number[] = [];
  const call = client.call('count', { from: 1, to: 100_000, every: 50 }, { onProgress: (n) => progress.push(n) });
  const failed = call.catch((error: unknown) => String(error));
  await eventually(() => progress.length > 2 && client.received.length > 2);
  await server.kill();
  // A process takes seconds to start on a busy machine, so it starts now.
  const back = startProcess([line.name, path, server.port, 'default', Date.now() + AWAY_MS]);
  // What is said before the client is back.
  const store = await createSqliteStore({ path });
  const handler = line.createHandler({ store, serve: () => ({ tools: {} }) });
  onTestFinished(async () => {
    await handler.close();
    await store.close();
  });
  await handler.broadcast({ method: 'notifications/message', params: { level: 'info', data: 'broadcast' } });
  await back;
  const broadcast = client.until(({ params }) => params['data'] === 'broadcast');
  const late = pause(PATIENCE_MS, undefined, { ref: false }).then(() => `Not back: ${client.errors.join(', ')}`);
  const error = await Promise.race([Promise.all([failed, broadcast]).then(([reason]) => reason), late]);
  const session = await store.get(client.sessionId);
  await client.close();
  const logged = client.received.map(({ params }) => params['data']);
  return {
    revision: session?.protocol.protocolVersion,
    interrupted: error.includes('interrupted') || error,
    lost: progress.filter((n, i) => n !== i + 1),
    logged: logged.slice(0, -1).every((n, i) => n === i + 1) ? logged.at(-1) : logged,
  };
}

it('a server that is away for 8 s loses nothing for real clients with their default options', async () => {
  const all = lines.flatMap((line) => [LATEST, '2025-06-18'].map((revision) => ({ line, revision })));
  const got = await Promise.all(all.map(({ line, revision }) => restart(line, revision)));
  expect(got).toEqual(all.map(({ revision }) => ({ revision, interrupted: true, lost: [], logged: 'broadcast' })));
}, 90_000);
