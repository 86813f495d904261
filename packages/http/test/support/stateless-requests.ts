import { McpServer as V1Server } from '@modelcontextprotocol/sdk/server/mcp.js';
import { McpServer as V2Server } from '@modelcontextprotocol/server';
import * as v1 from '../../src/v1.ts';
import * as v2 from '../../src/v2.ts';
import { REVISION } from './modern.ts';

type Tool = () => Promise<string>;

/** An entry that serves requests without a session. */
export interface StatelessEntry {
  readonly name: string;
  /** @param createStatelessServer Returns anything: a test makes mistakes. */
  createHandler(options: {
    readonly store: object;
    readonly createStatelessServer: () => unknown;
    readonly onError?: (error: unknown) => void;
    readonly logger?: object;
  }): v2.SessionHandler;
  /** A server of its SDK line with one tool. */
  makeServer(tool: Tool): object;
  /** A request that calls that tool, for a server of its own. */
  request(): Request;
}

const call = { jsonrpc: '2.0', id: 1, method: 'tools/call' };
const INFO = { name: 'stateless', version: '1.0.0' };

function post(params: object, headers: Readonly<Record<string, string>> = {}): Request {
  return new Request('http://localhost/mcp', {
    method: 'POST',
    headers: { 'content-type': 'application/json', accept: 'application/json, text/event-stream', ...headers },
    body: JSON.stringify({ ...call, params: { name: 'tool', arguments: {}, ...params } }),
  });
}

const content = async (tool: Tool) => ({ content: [{ type: 'text' as const, text: await tool() }] });

function makeV2(tool: Tool): V2Server {
  const server = new V2Server(INFO);
  server.registerTool('tool', {}, () => content(tool));
  return server;
}

const sessionless = { withoutSession: 'stateless', createServer: () => makeV2(async () => 'session') };

export const statelessEntries: readonly StatelessEntry[] = [
  {
    name: 'SDK v1',
    createHandler: (options) => v1.createSessionHandler({ ...sessionless, ...options } as never) as never,
    makeServer: (tool) => {
      const server = new V1Server(INFO);
      server.registerTool('tool', {}, () => content(tool));
      return server;
    },
    request: () => post({}),
  },
  {
    name: 'SDK v2',
    createHandler: (options) => v2.createSessionHandler({ ...sessionless, ...options } as never),
    makeServer: makeV2,
    request: () => post({}),
  },
  {
    name: `revision ${REVISION}`,
    createHandler: (options) => v2.createDualEraHandler({ ...sessionless, ...options } as never),
    makeServer: makeV2,
    request: () =>
      post(
        {
          _meta: {
            'io.modelcontextprotocol/protocolVersion': REVISION,
            'io.modelcontextprotocol/clientInfo': { name: 'raw', version: '1' },
            'io.modelcontextprotocol/clientCapabilities': {},
          },
        },
        { 'mcp-protocol-version': REVISION, 'mcp-method': 'tools/call', 'mcp-name': 'tool' },
      ),
  },
];
