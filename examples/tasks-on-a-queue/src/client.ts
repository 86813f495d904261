// An application with the client of the official SDK and its requester of tasks:
// `node client.ts http://127.0.0.1:3000/mcp`
import { Client, StreamableHTTPClientTransport } from '@modelcontextprotocol/client';
import {
  createTaskSessionFromClient,
  DispatchError,
  type JsonRpcResponse,
  type RawClientDispatch,
  resultFromTaskOutcome,
  type TaskEnabledSession,
  taskViewFromExecutionEvent,
  type ToolExecution,
} from '@modelcontextprotocol/ext-tasks/client';
import { fileURLToPath } from 'node:url';

const REVISION = '2026-07-28';
const INFO = { name: 'tasks-on-a-queue', version: '1.0.0' };

/** Connects a client that supports tasks. `signal` ends it, and what it waits for. */
export async function connect(url: string, signal?: AbortSignal): Promise<TaskEnabledSession> {
  const client = new Client(INFO, { versionNegotiation: { mode: { pin: REVISION } } });
  signal?.addEventListener('abort', () => void client.close());
  await client.connect(new StreamableHTTPClientTransport(new URL(url)), signal && { signal });
  return createTaskSessionFromClient(client, {
    endpointId: url,
    ...(signal && { signal }),
    // What its host provides: the SDK's client refuses answers that are tasks.
    rawDispatch: dispatchTo(url),
    v2RequestFraming: { protocolVersion: REVISION, clientInfo: INFO, clientCapabilities: {} },
  });
}

function dispatchTo(url: string): RawClientDispatch {
  let id = 0;
  return async (request, { signal, context } = {}) => {
    const { method, params } = request as { readonly method: string; readonly params: Record<string, unknown> };
    const response = await fetch(url, {
      method: 'POST',
      headers: {
        'content-type': 'application/json',
        accept: 'application/json, text/event-stream',
        'mcp-protocol-version': REVISION,
        'mcp-method': method,
        // For requests of tasks the requester gives it.
        ...(method === 'tools/call' && { 'mcp-name': String(params['name']) }),
        ...context?.headers,
      },
      body: JSON.stringify({ jsonrpc: '2.0', id: ++id, method, params }),
      signal: signal ?? null,
    });
    // The node died before it answered. The requester repeats what changes nothing.
    if (response.status === 502) throw new DispatchError('No node has answered', method === 'tasks/get');
    return responseOf(await response.text());
  };
}

/** The response in a body of JSON, or in one of events. */
function responseOf(body: string): JsonRpcResponse {
  const json = body.startsWith('{') ? body : (/^data: (\{.*)$/m.exec(body)?.[1] ?? '{}');
  const message = JSON.parse(json) as Omit<Result, 'kind'> | Omit<Failure, 'kind'>;
  return 'error' in message ? { kind: 'error', error: message.error } : { kind: 'result', result: message.result };
}

type Result = Extract<JsonRpcResponse, { kind: 'result' }>;
type Failure = Extract<JsonRpcResponse, { kind: 'error' }>;

/**
 * Waits for the result of a tool.
 *
 * @param onStatus Called with each new `statusMessage` of its task.
 * @throws Error if the task has failed or was cancelled.
 */
export async function follow<Result>(
  execution: ToolExecution<Result>,
  onStatus: (message: string) => void,
): Promise<Result> {
  let last = '';
  for await (const event of execution.updates()) {
    const { statusMessage = '' } = taskViewFromExecutionEvent(event) ?? {};
    if (statusMessage !== '' && statusMessage !== last) onStatus(statusMessage);
    last = statusMessage;
  }
  const { outcome } = await execution.settle();
  return resultFromTaskOutcome(outcome);
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const [url = 'http://127.0.0.1:3000/mcp', pages = '10'] = process.argv.slice(2);
  const session = await connect(url).catch((error: unknown) => {
    const { message, cause } = error as Error;
    console.error(`No server answers at ${url}: ${cause instanceof Error ? cause.message : message}`);
    process.exit(1);
  });
  const execution = await session.callTool('report', { pages: Number(pages), pageMs: 1_000 });
  console.log(`Task ${execution.handle?.taskId}`);
  console.log(JSON.stringify(await follow(execution, console.log)));
  await session.close();
}
