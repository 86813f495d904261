import { createMemoryStore } from '@mcp-session/core/memory';
import { createSessionHandler } from '@mcp-session/http/v1';
import { expect, it, onTestFinished } from 'vitest';
import { createTaskStore, TaskError } from '../src/index.ts';
import { createV1Tasks } from '../src/v1.ts';
import { attack } from './support/attack.ts';
import { answersLike, idLike, odd, pick, random } from './support/hostile.ts';
import { answerOf, modernRequest } from './support/request.ts';
import { createV1Server } from './support/server-v1.ts';
import { wireNodes } from './support/wire.ts';

/** How often a stranger tries: at a store, and on the wire of each SDK. */
const TRIES = 10_000;
/** Ten times what they took on a machine with other work, in milliseconds. */
const TIMEOUT_MS = 120_000;
/** What the task of somebody else would show. */
const LEARNS = ['input_required', 'Who?', 'asking'];
const CAPABILITIES = 'io.modelcontextprotocol/clientCapabilities';
const alice = { principal: 'alice' };

it(
  'task rules 10 and 17: a store shows a stranger nothing, whatever the id and the answers are',
  { timeout: TIMEOUT_MS },
  async () => {
    const store = await createMemoryStore({ sweep: false });
    onTestFinished(() => store.close());
    const tasks = createTaskStore(store);
    const { taskId } = await tasks.create(alice);
    const mallory = { principal: 'mallory' };
    const found: unknown[] = [];
    for (let turn = 0; turn < TRIES; turn++) {
      const id = idLike(taskId) as string;
      const call = pick<() => Promise<unknown>>([
        async () => tasks.get(id, mallory),
        async () => tasks.claim(id, pick([mallory, {}])),
        async () => tasks.cancel(id, mallory),
        async () => tasks.update(id, answersLike(), mallory),
        async () => (await tasks.watch(id, mallory).next()).value,
      ]);
      const result = await call();
      if (result !== undefined && result !== false) found.push([id, result]);
      // Its owner may send any answers, too.
      const refused = await tasks.update(taskId, answersLike(), alice).catch((error: unknown) => error);
      if (refused !== true && !(refused instanceof TaskError)) found.push(refused);
    }
    expect(found).toEqual([]);
    expect(await tasks.get(taskId, alice)).toMatchObject({ status: 'working' });
  },
);

/** What a hostile client sends to the task of another one. */
function modern(id: string): Request {
  const method = pick(['tasks/get', 'tasks/update', 'tasks/cancel', 'subscriptions/listen', 'tools/call']);
  const taskId = idLike(id);
  const params: Record<string, unknown> =
    method === 'subscriptions/listen'
      ? { notifications: random() < 0.1 ? odd() : { taskIds: random() < 0.3 ? odd() : [taskId, idLike(id)] } }
      : { taskId, inputResponses: answersLike() };
  for (const key of Object.keys(params)) if (random() < 0.05) delete params[key];
  if (random() < 0.1) params[pick(['taskId', 'inputResponses', 'extra', 'name', 'requestState'])] = odd();
  const isHeader = typeof taskId === 'string' && /^[!-~]{1,1000}$/.test(taskId);
  const extensions = pick<() => unknown>([() => odd(), () => ({ 'io.modelcontextprotocol/tasks': odd() })])();
  return modernRequest('http://localhost/mcp', method, params, {
    name: isHeader ? taskId : pick(['', 'x']),
    declares: random() < 0.95,
    ...(random() < 0.1 && { meta: { [CAPABILITIES]: random() < 0.5 ? odd() : { extensions } } }),
  });
}

it(
  'task rules 10 and 17: on the wire of SDK v2, a stranger learns and changes nothing, and gets no internal error',
  { timeout: TIMEOUT_MS },
  async () => {
    const memory = async () => async () => createMemoryStore({ sweep: false });
    const { nodes, open, errors } = await wireNodes(['memory', memory]);
    const [{ tasks, handler }] = nodes;
    const call = { name: 'report', arguments: {} };
    const created = await answerOf(await open('tools/call', call, { name: 'report', node: 0 }));
    const { taskId } = created.result as { readonly taskId: string };
    const authInfo = { token: 'x', clientId: 'app', scopes: [], extra: { iss: 'https://issuer', sub: 'mallory' } };
    const codes = await attack(
      TRIES,
      () => modern(taskId),
      async (request) => handler.fetch(request, { authInfo }),
      LEARNS,
    );
    expect(codes[-32_602]).toBeGreaterThan(TRIES / 10);
    const owner = { principal: 'https://issuer|alice' };
    expect(await tasks.get(taskId, owner)).toMatchObject({ status: 'input_required' });
    // The handler reports requests that are no requests of this revision.
    expect(errors.filter((error) => !String(error).startsWith('Error: Rejected inbound request'))).toEqual([]);
  },
);

it(
  'task rules 30 and 32: on the wire of SDK v1, a stranger learns and changes nothing, and gets no internal error',
  { timeout: TIMEOUT_MS },
  async () => {
    const store = await createMemoryStore({ sweep: false });
    const errors: unknown[] = [];
    const tasks = createTaskStore(store, { runners: { empty: async () => ({ content: [] }) } });
    const handler = createSessionHandler({
      store,
      principal: (_, request) => request.headers.get('x-user'),
      createServer: ({ principal }) => createV1Server(createV1Tasks(store, tasks, { principal }), ['empty']),
      onError: (error) => void errors.push(error),
    });
    onTestFinished(async () => {
      await handler.close();
      await store.close();
    });
    const headers: Record<string, string> = {
      'content-type': 'application/json',
      accept: 'application/json, text/event-stream',
      host: 'localhost',
      'x-user': 'mallory',
    };
    const request = (method: string, params: unknown): Request => {
      const body = JSON.stringify({ jsonrpc: '2.0', id: 1, method, params });
      return new Request('http://localhost/mcp', { method: 'POST', headers, body });
    };
    const clientInfo = { name: 'raw', version: '1' };
    const begun = await handler.fetch(
      request('initialize', { protocolVersion: '2025-11-25', capabilities: {}, clientInfo }),
    );
    expect((await answerOf(begun)).result).toHaveProperty('capabilities.tasks.list');
    headers['mcp-session-id'] = begun.headers.get('mcp-session-id') ?? '';

    const { taskId } = await tasks.create(alice);
    await (await tasks.claim(taskId, alice))?.status('asking');
    const codes = await attack(
      TRIES,
      () => request(...legacy(taskId)),
      async (each) => handler.fetch(each),
      LEARNS,
    );
    expect(codes[-32_602]).toBeGreaterThan(TRIES / 3);
    expect(await tasks.get(taskId, alice)).toMatchObject({ status: 'working', statusMessage: 'asking' });
    expect(errors).toEqual([]);
  },
);

function legacy(id: string): [method: string, params: unknown] {
  const method = pick(['tasks/get', 'tasks/cancel', 'tasks/result', 'tasks/list', 'tools/call']);
  if (random() < 0.05) return [method, odd()];
  if (method === 'tasks/list') return [method, { cursor: pick([idLike(id), odd(), undefined]) }];
  if (method !== 'tools/call') return [method, { taskId: idLike(id) }];
  const task = random() < 0.5 ? odd() : { ttl: pick([odd(), 1, 0, -1, 1e20, null]), pollInterval: odd() };
  return [method, { name: 'empty', arguments: {}, task }];
}
