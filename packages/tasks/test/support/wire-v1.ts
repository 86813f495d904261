import type { SessionStore } from '@mcp-session/core';
import { createMemoryStore } from '@mcp-session/core/memory';
import { createSessionHandler, type SessionHandler } from '@mcp-session/http/v1';
import { createStoreEventBus } from '@mcp-session/http/v2';
import { onTestFinished } from 'vitest';
import { createTaskStore, type TaskRunner, type TaskStore } from '../../src/index.ts';
import { createV1Tasks } from '../../src/v1.ts';
import { type Answer, answerOf, messagesOf } from './request.ts';
import { createV1Server } from './server-v1.ts';

/** Who sends a request, and to which node. Default: alice, and the other node than the last one. */
export interface Sending {
  /** `null` for an anonymous client. */
  readonly user?: string | null;
  readonly node?: 0 | 1;
}

/** Two nodes of SDK v1, and clients that speak for themselves. */
export interface V1Wire {
  readonly send: (method: string, params?: unknown, sending?: Sending) => Promise<Answer>;
  /** Sends a request, and yields what comes on its stream. */
  readonly open: (method: string, params?: unknown, sending?: Sending) => Promise<AsyncGenerator<Answer, void>>;
  /** Answers what the server has asked. */
  readonly reply: (id: unknown, result: object, sending?: Sending) => Promise<void>;
  /** What `initialize` answered to a user. */
  readonly begun: (user?: string | null) => Promise<Answer>;
  /** Calls a tool as a task. @returns The id of the task. */
  readonly begin: (runner: string, sending?: Sending) => Promise<string>;
  readonly tasks: readonly [TaskStore, TaskStore];
  readonly store: SessionStore;
  /** The clock of everything; a test turns it. */
  readonly clock: { now: number };
  readonly errors: readonly unknown[];
}

const HEADERS = {
  'content-type': 'application/json',
  accept: 'application/json, text/event-stream',
  host: 'localhost',
};

/** Starts two nodes on one storage. Nothing of theirs polls within an hour. */
export async function v1Wire(runners: Readonly<Record<string, TaskRunner>>): Promise<V1Wire> {
  const clock = { now: Date.now() };
  const store = await createMemoryStore({ sweep: false, clock: () => clock.now });
  const errors: unknown[] = [];
  const onError = (error: unknown): void => void errors.push(error);
  const nodes = [0, 1].map(() => startNode(store, runners, { clock, onError })) as [Node, Node];
  onTestFinished(async () => {
    await Promise.all(nodes.map(async ({ handler }) => handler.close()));
    await store.close();
  });
  let turn = 0;
  let id = 0;
  const post = async (message: object, { user = 'alice', node }: Sending, session = ''): Promise<Response> => {
    const headers = { ...HEADERS, 'x-user': user ?? '', ...(session !== '' && { 'mcp-session-id': session }) };
    const body = JSON.stringify({ jsonrpc: '2.0', ...message });
    const request = new Request('http://localhost/mcp', { method: 'POST', headers, body });
    return nodes[(node ?? turn++ % 2) === 0 ? 0 : 1].handler.fetch(request);
  };
  const clients = new Map<string | null, Promise<Client>>();
  const clientOf = async (user: string | null): Promise<Client> => {
    const client = clients.get(user) ?? connect(async (message, session) => post(message, { user }, session));
    clients.set(user, client);
    return client;
  };
  const request = async (method: string, params: unknown, sending: Sending = {}): Promise<Response> => {
    const { session } = await clientOf(sending.user ?? (sending.user === null ? null : 'alice'));
    return post({ id: ++id, method, params }, sending, session);
  };
  const send: V1Wire['send'] = async (method, params, sending) => answerOf(await request(method, params, sending));
  return {
    send,
    open: async (...given) => messagesOf(await request(...given)),
    reply: async (asked, result, sending = {}) => {
      const { session } = await clientOf(sending.user ?? 'alice');
      await post({ id: asked, result }, sending, session);
    },
    begun: async (user = 'alice') => (await clientOf(user)).begun,
    begin: async (runner, sending) => {
      const { result } = await send('tools/call', { name: runner, arguments: {}, task: { ttl: 60_000 } }, sending);
      return (result as { readonly task: { readonly taskId: string } }).task.taskId;
    },
    tasks: [nodes[0].tasks, nodes[1].tasks],
    store,
    clock,
    errors,
  };
}

interface Node {
  readonly tasks: TaskStore;
  readonly handler: SessionHandler;
}

interface Shared {
  readonly clock: { readonly now: number };
  readonly onError: (error: unknown) => void;
}

function startNode(store: SessionStore, runners: Readonly<Record<string, TaskRunner>>, { clock, onError }: Shared) {
  const tasks = createTaskStore(store, {
    runners,
    leaseMs: 3_600_000,
    pollIntervalMs: 3_600_000,
    bus: createStoreEventBus(store, { onError }),
    onError,
    clock: () => clock.now,
  });
  const handler = createSessionHandler({
    store,
    principal: (_, { headers }) => headers.get('x-user') || null,
    createServer: ({ principal }) => createV1Server(createV1Tasks(store, tasks, { principal }), Object.keys(runners)),
    onError,
  });
  return { tasks, handler };
}

interface Client {
  readonly session: string;
  readonly begun: Answer;
}

async function connect(post: (message: object, session?: string) => Promise<Response>): Promise<Client> {
  const params = {
    protocolVersion: '2025-11-25',
    capabilities: { elicitation: {} },
    clientInfo: { name: 'raw', version: '1' },
  };
  const response = await post({ id: 0, method: 'initialize', params });
  const session = response.headers.get('mcp-session-id') ?? '';
  await post({ method: 'notifications/initialized' }, session);
  return { session, begun: await answerOf(response) };
}
