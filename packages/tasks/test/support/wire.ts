import type { SessionStore } from '@mcp-session/core';
import { createDualEraHandler, createStoreEventBus, defaultPrincipal, type DualEraHandler } from '@mcp-session/http/v2';
import { McpServer, type ServerContext } from '@modelcontextprotocol/server';
import { expect, onTestFinished } from 'vitest';
import { createTaskStore, type TaskHandle, type TaskStore } from '../../src/index.ts';
import { serveTaskNotifications, serveTasks } from '../../src/v2.ts';
import type { Backend } from './backends.ts';
import { answerOf, messagesOf, modernRequest, type Answer, type RequestParts } from './request.ts';

async function report(task: TaskHandle) {
  await task.status('asking');
  const { name } = await task.requireInput({
    name: { method: 'elicitation/create', params: { mode: 'form', message: 'Who?', requestedSchema: {} } },
  });
  return { content: [{ type: 'text', text: JSON.stringify([task.context, name]) }] };
}

/** How a request is sent. */
export interface Sending extends RequestParts {
  readonly sub?: string;
  readonly node?: number;
}

/** A node with its parts. */
export interface WireNode {
  /** How many listen to its bus. */
  readonly listeners: () => number;
  readonly store: SessionStore;
  readonly tasks: TaskStore;
  readonly handler: DualEraHandler;
}

async function startNode(store: SessionStore, onError: (error: unknown) => void): Promise<WireNode> {
  const bus = createStoreEventBus(store, { onError });
  let listening = 0;
  const subscribe = bus.subscribe.bind(bus);
  Object.assign(bus, {
    subscribe: (...given: Parameters<typeof subscribe>) => {
      listening += 1;
      const stop = subscribe(...given);
      return () => {
        listening -= 1;
        stop();
      };
    },
  });
  // An hour: a watcher that misses what the bus carries does not read the task again in time.
  const tasks = createTaskStore(store, { runners: { report }, leaseMs: 3_600_000, pollIntervalMs: 50, bus, onError });
  const createServer = (): McpServer => {
    const server = new McpServer(
      { name: 'reports', version: '1.0.0' },
      { capabilities: { tools: { listChanged: true } } },
    );
    const served = serveTasks(server, tasks, {
      principal: ({ http }: ServerContext) => (http?.authInfo ? defaultPrincipal(http.authInfo) : null),
    });
    const atOnce = { content: [{ type: 'text' as const, text: 'at once' }] };
    server.registerTool('report', {}, async (context) => {
      const { must } = context.mcpReq._meta ?? {};
      if (!served.supports(context) && must === undefined) return atOnce;
      const created = served.create(context, { runner: 'report', context: 'all' });
      return must === 'caught' ? created.catch(() => atOnce) : created;
    });
    return server;
  };
  const both = createDualEraHandler({
    store,
    createServer,
    createStatelessServer: createServer,
    onError,
    stateless: { bus },
  });
  const handler = serveTaskNotifications(both, tasks, { principal: defaultPrincipal, onError });
  onTestFinished(async () => {
    await handler.close();
    await store.close();
  });
  return { store, tasks, handler, listeners: () => listening };
}

/** Two nodes, and what a client does. */
export interface Wire {
  /** Sends a request to the other node than the last one, or to the given one. */
  readonly send: (method: string, params: object, sending?: Sending) => Promise<Answer>;
  /** Opens a stream for tasks. */
  readonly listen: (notifications: object, sending?: Sending) => Promise<AsyncGenerator<Answer, void>>;
  /** Sends a request, and leaves its answer unread. */
  readonly open: (method: string, params: object, sending?: Sending) => Promise<Response>;
  readonly nodes: readonly [WireNode, WireNode];
  readonly errors: readonly unknown[];
}

/** Two nodes on one storage, and a client that speaks for itself. */
export async function wireNodes([, begin]: Backend): Promise<Wire> {
  const openStore = await begin();
  const errors: unknown[] = [];
  const onError = (error: unknown): void => void errors.push(error);
  const nodes = [await startNode(await openStore({}), onError), await startNode(await openStore({}), onError)] as const;
  let turn = 0;
  const requestOf = (method: string, params: object, { sub = 'alice', node, ...sending }: Sending) => {
    const authInfo = { token: 'x', clientId: 'app', scopes: [], extra: { iss: 'https://issuer', sub } };
    const request = modernRequest('http://localhost/mcp', method, params, sending);
    return (node ?? turn++ % 2) === 0
      ? nodes[0].handler.fetch(request, { authInfo })
      : nodes[1].handler.fetch(request, { authInfo });
  };
  const send = async (method: string, params: object, sending: Sending = {}): Promise<Answer> => {
    const response = await requestOf(method, params, sending);
    expect(response.status).toBeLessThan(500);
    return answerOf(response);
  };
  const listen = async (notifications: object, sending: Sending = {}): Promise<AsyncGenerator<Answer, void>> =>
    messagesOf(await requestOf('subscriptions/listen', { notifications }, sending));
  return {
    send,
    listen,
    open: async (method, params, sending = {}) => requestOf(method, params, sending),
    nodes,
    errors,
  };
}
