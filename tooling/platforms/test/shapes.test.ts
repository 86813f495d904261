import { createMemoryStore } from '@mcp-session/core/memory';
import { createSessionHandler, type SessionHandler } from '@mcp-session/http/v2';
import { createNotesServer, state } from '@mcp-session-examples/quickstart/server';
import { McpServer } from '@modelcontextprotocol/server';
import { expect, it, onTestFinished } from 'vitest';
import { type Exchange, type Shape, shapes } from '../src/tables/shapes.ts';

const INITIALIZE = {
  protocolVersion: '2025-06-18',
  capabilities: {},
  clientInfo: { name: 'product', version: '1.0.0' },
};

/** The server of a request without a session. */
function createStatelessServer(): McpServer {
  const server = new McpServer({ name: 'clock', version: '1.0.0' });
  server.registerTool('tell_time', {}, () => ({ content: [{ type: 'text', text: 'It is noon' }] }));
  return server;
}

async function serve({ options }: Shape): Promise<SessionHandler> {
  const store = await createMemoryStore({ state });
  const handler = createSessionHandler({
    ...options,
    ...(options?.['withoutSession'] === 'stateless' && { createStatelessServer }),
    store,
    createServer: ({ session }) => createNotesServer(session),
  });
  onTestFinished(async () => {
    await handler.close();
    await store.close();
  });
  return handler;
}

function requestOf(
  { method = 'POST', rpc, params, headers }: Exchange['send'],
  sessionId: string | undefined,
): Request {
  const all = new Headers({ host: 'mcp.example.com', ...headers });
  if (sessionId !== undefined) all.set('mcp-session-id', sessionId);
  if (rpc === undefined) return new Request('https://mcp.example.com/mcp', { method, headers: all });
  all.set('content-type', 'application/json');
  const id = rpc.startsWith('notifications/') ? {} : { id: 1 };
  const body = JSON.stringify({
    jsonrpc: '2.0',
    ...id,
    method: rpc,
    ...(rpc === 'initialize' ? { params: INITIALIZE } : params !== undefined && { params }),
  });
  return new Request('https://mcp.example.com/mcp', { method, headers: all, body });
}

/** The parts of an answer that a row speaks of, as they are. */
async function answerOf(response: Response, { type, holds, headers }: Exchange['get']): Promise<Exchange['get']> {
  const text = holds === undefined ? '' : await response.text();
  const sent = Object.keys(headers ?? {}).map((name) => [name, response.headers.get(name)]);
  if (holds === undefined) await response.body?.cancel();
  return {
    status: response.status,
    ...(type !== undefined && { type: response.headers.get('content-type')?.split(';', 1)[0] as typeof type }),
    ...(holds !== undefined && { holds: text.includes(holds) ? holds : text }),
    ...(headers !== undefined && { headers: Object.fromEntries(sent) as typeof headers }),
  };
}

it.each(shapes)('$product: gets what the page says', async (shape) => {
  const handler = await serve(shape);
  const answers: Exchange['get'][] = [];
  let own = 'none';
  for (const { send, get } of shape.exchanges) {
    const response = await handler.fetch(requestOf(send, send.sessionId === 'own' ? own : send.sessionId));
    if (send.rpc === 'initialize') own = response.headers.get('mcp-session-id') ?? own;
    answers.push(await answerOf(response, get));
  }
  expect(answers).toEqual(shape.exchanges.map(({ get }) => get));
  expect(shape.exchanges.map(({ send }) => send.sessionId)).not.toContain(own);
});
