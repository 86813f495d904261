import type { Session, SessionStore } from '@mcp-session/core';
import type { HandlerObserver } from '@mcp-session/http/node';
import { createSessionHandler as createV1, type SessionHandler } from '@mcp-session/http/v1';
import { createSessionHandler as createV2 } from '@mcp-session/http/v2';
import { McpServer as V1Server } from '@modelcontextprotocol/sdk/server/mcp.js';
import { McpServer as V2Server } from '@modelcontextprotocol/server';

type Tool = (session: Session) => Promise<string> | string;

/** What a test serves. */
export interface Serving {
  readonly store: SessionStore;
  readonly tools: Readonly<Record<string, Tool>>;
  readonly observe: HandlerObserver;
}

export interface Line {
  readonly name: string;
  serve(serving: Serving): Pick<SessionHandler<never>, 'fetch' | 'close' | 'broadcast' | 'localSessions'>;
}

const info = { name: 'test', version: '1.0.0' };
const answer = async (tool: Tool, session: Session): Promise<{ content: { type: 'text'; text: string }[] }> => ({
  content: [{ type: 'text', text: await tool(session) }],
});

/** Both lines of the official SDK. */
export const lines: readonly Line[] = [
  {
    name: 'v1',
    serve: ({ store, tools, observe }) =>
      createV1({
        store,
        observe,
        createServer: ({ session }) => {
          const server = new V1Server(info);
          for (const [name, tool] of Object.entries(tools)) server.registerTool(name, {}, () => answer(tool, session));
          return server;
        },
      }),
  },
  {
    name: 'v2',
    serve: ({ store, tools, observe }) =>
      createV2({
        store,
        observe,
        createServer: ({ session }) => {
          const server = new V2Server(info);
          for (const [name, tool] of Object.entries(tools)) server.registerTool(name, {}, () => answer(tool, session));
          return server;
        },
      }),
  },
];

type Fetch = (request: Request) => Promise<Response>;

/** A client that speaks HTTP by hand, without a socket. */
export class HandClient {
  readonly #fetch: Fetch;
  readonly #headers: Record<string, string> = {
    'content-type': 'application/json',
    accept: 'application/json, text/event-stream',
  };
  #id = 0;

  constructor(fetch: Fetch) {
    this.#fetch = fetch;
  }

  /** Sends the next requests to another process. */
  static over(fetch: Fetch, other: HandClient): HandClient {
    const client = new HandClient(fetch);
    Object.assign(client.#headers, other.#headers);
    return client;
  }

  async begin(): Promise<string> {
    const params = { protocolVersion: '2025-11-25', capabilities: {}, clientInfo: { name: 'hand', version: '1' } };
    const response = await this.post('initialize', params);
    const id = response.headers.get('mcp-session-id') ?? '';
    await response.text();
    Object.assign(this.#headers, { 'mcp-session-id': id, 'mcp-protocol-version': '2025-11-25' });
    return id;
  }

  post(method: string, params: object, headers: Record<string, string> = {}): Promise<Response> {
    const body = JSON.stringify({ jsonrpc: '2.0', id: ++this.#id, method, params });
    return this.#send('POST', headers, body);
  }

  /** @returns All that comes as response. */
  async call(name: string, meta?: object): Promise<string> {
    const response = await this.post('tools/call', { name, arguments: {}, ...(meta && { _meta: meta }) });
    return response.text();
  }

  /** Opens the standalone stream. */
  async listen(
    cursor?: string,
  ): Promise<{ readonly next: () => Promise<string>; readonly close: () => Promise<void> }> {
    const response = await this.#send('GET', cursor === undefined ? {} : { 'last-event-id': cursor });
    const reader = response.body?.pipeThrough(new TextDecoderStream()).getReader();
    return {
      next: async () => (await reader?.read())?.value ?? '',
      close: async () => reader?.cancel(),
    };
  }

  async end(): Promise<number> {
    return (await this.#send('DELETE', {})).status;
  }

  #send(method: string, headers: Record<string, string>, body?: string): Promise<Response> {
    const init = { method, headers: { ...this.#headers, ...headers }, ...(body !== undefined && { body }) };
    return this.#fetch(new Request('http://localhost/mcp', init));
  }
}
