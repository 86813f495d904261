import type { SessionStore } from '@mcp-session/core';
import { createDualEraHandler, createStoreEventBus, defaultPrincipal, type DualEraHandler } from '@mcp-session/http/v2';
import { McpServer, type ServerContext } from '@modelcontextprotocol/server';
import { expect, onTestFinished } from 'vitest';
import { createTaskStore, type TaskHandle, type TaskStore } from '../../src/index.ts';
import { serveTaskNotifications, serveTasks, TASKS_EXTENSION } from '../../src/v2.ts';
import type { Backend } from './backends.ts';

const REVISION = '2026-07-28';

async function report(task: TaskHandle) {
  await task.status('asking');
  const { name } = await task.requireInput({
    name: { method: 'elicitation/create', params: { mode: 'form', message: 'Who?', requestedSchema: {} } },
  });
  return { content: [{ type: 'text', text: JSON.stringify([task.context, name]) }] };
}

/** What a server answers. */
export type Answer = Record<string, unknown> & { readonly result?: Record<string, unknown> };

/** How a request is sent. */
export interface Sending {
  readonly sub?: string;
  readonly declares?: boolean;
  readonly name?: string;
  readonly must?: boolean;
  readonly node?: number;
}

/** A node with its parts. */
export interface WireNode {
  readonly store: SessionStore;
  readonly tasks: TaskStore;
  readonly handler: DualEraHandler;
}

async function startNode(store: SessionStore, onError: (error: unknown) => void): Promise<WireNode> {
  const bus = createStoreEventBus(store, { onError });
  const tasks = createTaskStore(store, { runners: { report }, pollIntervalMs: 50, bus, onError });
  const createServer = (): McpServer => {
    const server = new McpServer(
      { name: 'reports', version: '1.0.0' },
      { capabilities: { tools: { listChanged: true } } },
    );
    const served = serveTasks(server, tasks, {
      principal: ({ http }: ServerContext) => (http?.authInfo ? defaultPrincipal(http.authInfo) : null),
    });
    server.registerTool('report', {}, async (context) =>
      served.supports(context) || context.mcpReq._meta?.['must'] === true
        ? await served.create(context, { runner: 'report', context: 'all' })
        : { content: [{ type: 'text', text: 'at once' }] },
    );
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
  return { store, tasks, handler };
}

/** Two nodes, and what a client does. */
export interface Wire {
  /** Sends a request to the other node than the last one, or to the given one. */
  readonly send: (method: string, params: object, sending?: Sending) => Promise<Answer>;
  /** Opens a stream for tasks. */
  readonly listen: (notifications: object, sending?: Sending) => Promise<AsyncGenerator<Answer, void>>;
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
  const requestOf = (
    method: string,
    params: object,
    { sub = 'alice', declares = true, name = '', must = false, node }: Sending,
  ) => {
    const extensions = declares ? { [TASKS_EXTENSION]: {} } : {};
    const _meta = {
      'io.modelcontextprotocol/protocolVersion': REVISION,
      'io.modelcontextprotocol/clientInfo': { name: 'raw', version: '1' },
      'io.modelcontextprotocol/clientCapabilities': { elicitation: { form: {} }, extensions },
      ...(must && { must }),
    };
    const request = new Request('http://localhost/mcp', {
      method: 'POST',
      headers: {
        'content-type': 'application/json',
        accept: 'application/json, text/event-stream',
        host: 'localhost',
        'mcp-protocol-version': REVISION,
        'mcp-method': method,
        ...(name !== '' && { 'mcp-name': name }),
      },
      body: JSON.stringify({ jsonrpc: '2.0', id: 1, method, params: { ...params, _meta } }),
    });
    const authInfo = { token: 'x', clientId: 'app', scopes: [], extra: { iss: 'https://issuer', sub } };
    return (node ?? turn++ % 2) === 0
      ? nodes[0].handler.fetch(request, { authInfo })
      : nodes[1].handler.fetch(request, { authInfo });
  };
  const send = async (method: string, params: object, sending: Sending = {}): Promise<Answer> => {
    const response = await requestOf(method, params, sending);
    expect(response.status).toBeLessThan(500);
    const text = await response.text();
    const json = text.startsWith('{') ? text : (/^data: (\{.*)$/m.exec(text)?.[1] ?? '{}');
    return JSON.parse(json) as Answer;
  };
  const listen = async (notifications: object, sending: Sending = {}): Promise<AsyncGenerator<Answer, void>> =>
    messagesOf(await requestOf('subscriptions/listen', { notifications }, sending));
  return { send, listen, nodes, errors };
}

async function* messagesOf({ body }: Response): AsyncGenerator<Answer, void> {
  let text = '';
  for await (const chunk of (body ?? new ReadableStream<Uint8Array>()).pipeThrough(new TextDecoderStream())) {
    text += chunk;
    if (text.startsWith('{')) {
      yield JSON.parse(text) as Answer;
      return;
    }
    const frames = text.split('\n\n');
    text = frames.pop() ?? '';
    for (const frame of frames) {
      const data = /^data: (.*)$/m.exec(frame)?.[1];
      if (data !== undefined) yield JSON.parse(data) as Answer;
    }
  }
}
