import { fork } from 'node:child_process';
import { once } from 'node:events';
import { Agent, request, type IncomingMessage } from 'node:http';
import { text } from 'node:stream/consumers';
import { fileURLToPath } from 'node:url';
import type { HttpPlan } from './http-plan.ts';

const MODULE = fileURLToPath(new URL('../http-process.ts', import.meta.url));
const VERSION = '2025-06-18';

/** A server in a process of its own. */
export interface HttpServer {
  begin(): Promise<HttpClient>;
  /** A client of an existing session, on the connection of another client of this server, or on its
   * own.
   */
  carryOn(session: string, beside?: HttpClient): HttpClient;
  /** Bytes of memory that its objects use. */
  memoryUsed(): Promise<number>;
  stop(): void;
}

/**
 * A client of one session on one persistent connection. It does only what the protocol requires, so
 * that the measurement shows the server.
 */
export interface HttpClient {
  readonly session: string;
  readonly agent: Agent;
  call(): Promise<void>;
  /**
   * Opens the standalone stream and resolves with the time to the first byte of its body, in
   * milliseconds.
   */
  firstByte(lastEventId: string): Promise<number>;
}

export async function startServer(plan: HttpPlan): Promise<HttpServer> {
  const child = fork(MODULE, [JSON.stringify(plan)], { execArgv: ['--conditions=@mcp-session/source', '--expose-gc'] });
  const [port] = (await once(child, 'message')) as [number];
  return {
    begin: async () => {
      const params = { protocolVersion: VERSION, capabilities: {}, clientInfo: { name: 'bench', version: '1.0.0' } };
      const agent = new Agent({ keepAlive: true, maxSockets: 1 });
      const response = await post(agent, port, {}, { jsonrpc: '2.0', id: 0, method: 'initialize', params });
      await text(response);
      const session = String(response.headers['mcp-session-id']);
      const headers = headersOf(session);
      await text(await post(agent, port, headers, { jsonrpc: '2.0', method: 'notifications/initialized' }));
      return clientOf(agent, port, session);
    },
    carryOn: (session, beside) =>
      clientOf(beside?.agent ?? new Agent({ keepAlive: true, maxSockets: 1 }), port, session),
    memoryUsed: async () => {
      child.send('heap');
      const [bytes] = (await once(child, 'message')) as [number];
      return bytes;
    },
    stop: () => void child.kill(),
  };
}

function headersOf(session: string): Record<string, string> {
  return { 'mcp-session-id': session, 'mcp-protocol-version': VERSION };
}

function clientOf(agent: Agent, port: number, session: string): HttpClient {
  const headers = headersOf(session);
  let id = 0;
  return {
    session,
    agent,
    call: async () => {
      const params = { name: 'echo', arguments: { text: 'hello' } };
      const response = await post(agent, port, headers, { jsonrpc: '2.0', id: ++id, method: 'tools/call', params });
      const body = await text(response);
      if (!body.includes('"result"')) throw new Error(`A call was answered with ${response.statusCode} ${body}`);
    },
    firstByte: (lastEventId) =>
      new Promise((resolve, reject) => {
        const startedAt = performance.now();
        const path = { host: '127.0.0.1', port, path: '/mcp', method: 'GET' };
        const get = request(
          { ...path, headers: { ...headers, accept: 'text/event-stream', 'last-event-id': lastEventId } },
          (response) => {
            response.once('data', () => {
              resolve(performance.now() - startedAt);
              get.destroy();
            });
          },
        );
        get.once('error', reject).end();
      }),
  };
}

function post(agent: Agent, port: number, headers: Record<string, string>, body: object): Promise<IncomingMessage> {
  return new Promise((resolve, reject) => {
    const accept = 'application/json, text/event-stream';
    const all = { ...headers, accept, 'content-type': 'application/json' };
    request({ agent, host: '127.0.0.1', port, path: '/mcp', method: 'POST', headers: all }, resolve)
      .once('error', reject)
      .end(JSON.stringify(body));
  });
}
