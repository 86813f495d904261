import type { DualEraHandler } from '@mcp-session/http/v2';
import { createTestSchema, createTestTables, openDatabase } from '@mcp-session-tooling/databases';
import { fork } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect, it, onTestFinished, vi } from 'vitest';
import { type Address, type Death, deaths, LEASE_MS, mortalNode } from './support/mortal.ts';
import { type Answer, answerOf, modernRequest } from './support/request.ts';

const SOON = { timeout: 30_000, interval: 50 };

async function addressOf(backend: Address['backend']): Promise<Address> {
  if (backend === 'SQLite') {
    const folder = await mkdtemp(join(tmpdir(), 'mcp-session-tasks-'));
    onTestFinished(() => rm(folder, { recursive: true, force: true }));
    return { backend, path: join(folder, 'sessions.db') };
  }
  const server = await openDatabase(backend === 'PostgreSQL' ? 'postgres' : 'dynamodb');
  onTestFinished(() => server.close());
  if (backend === 'DynamoDB') {
    const { prefix, dispose } = createTestTables(server.url);
    onTestFinished(dispose);
    return { backend, url: server.url, prefix };
  }
  const { url, schema, dispose } = await createTestSchema(server.url);
  onTestFinished(dispose);
  return { backend, url, schema };
}

type Handler = Pick<DualEraHandler, 'fetch'>;
type Send = (method: string, params: object, name: string) => Promise<Answer>;

interface Client {
  readonly send: Send;
  readonly gone: Promise<unknown[]>;
  /** The request that the node did not answer, once it is dead. */
  readonly unanswered: () => string | undefined;
}

/** A client whose node will die. It then goes to another one, and begins its request again. */
async function begin(address: Address, death: Death, other: Handler): Promise<Client> {
  const file = fileURLToPath(new URL('support/mortal-node.ts', import.meta.url));
  const node = fork(file, [JSON.stringify(address), death], {
    execArgv: ['--conditions=@mcp-session/source', '--no-warnings'],
  });
  onTestFinished(() => void node.kill('SIGKILL'));
  const gone = once(node, 'exit');
  const [port] = (await once(node, 'message')) as [number];
  let unanswered: string | undefined;
  const send: Send = async (method, params, name) => {
    const request = (url: string): Request => modernRequest(url, method, params, { name });
    if (unanswered === undefined) {
      try {
        return await answerOf(await fetch(request(`http://127.0.0.1:${port}/mcp`)));
      } catch {
        unanswered = method;
      }
    }
    return answerOf(await other.fetch(request('http://localhost/mcp')));
  };
  return { send, gone, unanswered: () => unanswered };
}

/** A task from its creation to its result. */
async function useTask(send: Send): Promise<unknown> {
  const call = { name: 'confirm_delete', arguments: {} };
  const { result: created = {} } = await send('tools/call', call, call.name);
  const { taskId } = created as { taskId: string };
  const become = async (status: string) =>
    vi.waitFor(async () => {
      const { result } = await send('tasks/get', { taskId }, taskId);
      expect(result).toMatchObject({ status });
      return result;
    }, SOON);
  await become('input_required');
  const inputResponses = { confirm: { action: 'accept', content: { answer: 'first' } } };
  expect((await send('tasks/update', { taskId, inputResponses }, taskId)).result).toBeDefined();
  await become('completed');
  // Again, since the first one may have died before it said so.
  return (await become('completed'))?.['result'];
}

it.each(['SQLite', 'PostgreSQL', 'DynamoDB'] as const)(
  'task rules 3, 8 and 15: a node is killed after each step of a task, and the client goes on with another one: %s',
  { timeout: 120_000 },
  async (backend) => {
    const address = await addressOf(backend);
    const { handler, close } = await mortalNode(address, undefined);
    onTestFinished(close);
    const clients: Client[] = [];
    const used = deaths.map(async (death) => {
      const client = await begin(address, death, handler);
      clients.push(client);
      const result = await useTask(client.send);
      return [death, result, (await client.gone)[1]];
    });
    const text = JSON.stringify({ action: 'accept', content: { answer: 'first' } });
    expect(await Promise.all(used)).toEqual(
      deaths.map((death) => [death, { content: [{ type: 'text', text }], resultType: 'complete' }, 'SIGKILL']),
    );
    // The tasks of which no client has learned go on as well. A task can also get further than
    // `created` before the client has its id.
    const unknown = clients.filter(({ unanswered }) => unanswered() === 'tools/call').length;
    expect(unknown).toBeGreaterThan(0);
    const later = await mortalNode(address, undefined, () => Date.now() + LEASE_MS);
    onTestFinished(later.close);
    expect(await later.tasks.recover()).toBe(unknown);
  },
);
