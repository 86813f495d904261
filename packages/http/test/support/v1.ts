import { Client } from '@modelcontextprotocol/sdk/client/index.js';
import { StreamableHTTPClientTransport } from '@modelcontextprotocol/sdk/client/streamableHttp.js';
import { McpServer } from '@modelcontextprotocol/sdk/server/mcp.js';
import {
  CallToolRequestSchema,
  CreateMessageRequestSchema,
  ElicitRequestSchema,
  ListRootsRequestSchema,
  ListRootsResultSchema,
  ListToolsRequestSchema,
  RootsListChangedNotificationSchema,
  SetLevelRequestSchema,
  SubscribeRequestSchema,
  UnsubscribeRequestSchema,
} from '@modelcontextprotocol/sdk/types.js';
import { createSessionHandler } from '../../src/v1.ts';
import { Inbox, type Json, type Line, passedOn, type ServerPort, type TestServer } from './line.ts';

function makeServer({
  version = '1.0.0',
  tools,
  onInitialized,
  onCreated,
  onSubscribe,
  onLevel,
  onRootsChanged,
  onError,
}: TestServer): McpServer {
  const capabilities = { tools: { listChanged: true }, logging: {}, resources: { subscribe: true } };
  const mcp = new McpServer({ name: 'test', version }, { capabilities });
  const { server } = mcp;
  const port: ServerPort = {
    close: () => mcp.close(),
    notify: (method, params) => server.notification({ method, params }),
    elicit: async (message, timeout = 60_000) => {
      const requestedSchema = { type: 'object' as const, properties: {} };
      return (await server.elicitInput({ message, requestedSchema }, { timeout })).content ?? {};
    },
    sample: async (text) => {
      const messages = [{ role: 'user' as const, content: { type: 'text' as const, text } }];
      const { content } = await server.createMessage({ messages, maxTokens: 10 });
      return content.type === 'text' ? content.text : '';
    },
    listRoots: ({ onProgress, signal } = {}) =>
      server.request({ method: 'roots/list' }, ListRootsResultSchema, {
        ...(onProgress !== undefined && { onprogress: ({ progress }) => onProgress(progress) }),
        ...(signal !== undefined && { signal }),
      }),
  };
  server.setRequestHandler(ListToolsRequestSchema, () => ({
    tools: Object.keys(tools).map((name) => ({ name, inputSchema: { type: 'object' as const } })),
  }));
  server.setRequestHandler(CallToolRequestSchema, async ({ params }, extra) => {
    const tool = tools[params.name];
    if (tool === undefined) throw new Error(`No tool ${params.name}`);
    const text = await tool(
      params.arguments ?? {},
      {
        requestId: extra.requestId,
        signal: extra.signal,
        notify: (method, args) => extra.sendNotification({ method, params: args }),
        progress: async (progress) => {
          const progressToken = extra._meta?.progressToken;
          if (progressToken !== undefined) {
            await extra.sendNotification({ method: 'notifications/progress', params: { progressToken, progress } });
          }
        },
        elicit: async (message, timeout = 60_000) => {
          const requestedSchema = { type: 'object' as const, properties: {} };
          const options = { relatedRequestId: extra.requestId, timeout };
          const result = await server.elicitInput({ message, requestedSchema }, options);
          return result.content ?? {};
        },
        sample: async (text, timeout = 60_000) => {
          const messages = [{ role: 'user' as const, content: { type: 'text' as const, text } }];
          const options = { relatedRequestId: extra.requestId, timeout };
          const { content } = await server.createMessage({ messages, maxTokens: 10 }, options);
          return content.type === 'text' ? content.text : '';
        },
        closeStream: () => extra.closeSSEStream?.(),
        closeStandaloneStream: () => extra.closeStandaloneSSEStream?.(),
      },
      port,
    );
    return { content: [{ type: 'text', text }] };
  });
  server.setRequestHandler(SubscribeRequestSchema, async ({ params }) => {
    await onSubscribe?.(params.uri);
    return {};
  });
  server.setRequestHandler(UnsubscribeRequestSchema, () => ({}));
  if (onLevel !== undefined) {
    server.setRequestHandler(SetLevelRequestSchema, ({ params }) => {
      onLevel(params.level);
      return {};
    });
  }
  if (onError !== undefined) server.onerror = onError;
  if (onRootsChanged !== undefined) {
    server.setNotificationHandler(RootsListChangedNotificationSchema, () => onRootsChanged());
  }
  server.oninitialized = () => onInitialized?.(port);
  onCreated?.(port);
  return mcp;
}

export const v1: Line = {
  name: 'v1',
  createHandler: ({ serve, onRestore, principal, stateless, ...options }) =>
    createSessionHandler({
      ...passedOn({ serve, ...options }),
      createServer: async ({ session, restored }) => makeServer(await serve(session, restored)),
      ...(stateless !== undefined && { createStatelessServer: () => makeServer(stateless()) }),
      ...(onRestore !== undefined && { onRestore }),
      ...(principal !== undefined && { principal }),
    }),
  connect: async (url, { onElicit, onSample, fetch, headers = {}, onTools } = {}) => {
    const inbox = new Inbox();
    const transport = new StreamableHTTPClientTransport(url, {
      requestInit: { headers },
      ...(fetch !== undefined && { fetch }),
    });
    const client = new Client(
      { name: 'test', version: '1.0.0' },
      {
        capabilities: { elicitation: {}, roots: {}, sampling: {} },
        ...(onTools !== undefined && {
          listChanged: { tools: { onChanged: (_, listed) => onTools((listed ?? []).map(({ name }) => name)) } },
        }),
      },
    );
    client.onerror = (error) => void inbox.errors.push(error);
    client.fallbackNotificationHandler = async ({ method, params }) => inbox.add({ method, params: params ?? {} });
    client.setRequestHandler(ElicitRequestSchema, async ({ params }) => ({
      action: 'accept',
      content: ((await onElicit?.(params.message)) ?? {}) as Record<string, string>,
    }));
    client.setRequestHandler(CreateMessageRequestSchema, ({ params }) => {
      const content = params.messages[0]?.content;
      const asked = content !== undefined && 'text' in content ? content.text : '';
      return { model: 'test', role: 'assistant', content: { type: 'text', text: onSample?.(asked) ?? '' } };
    });
    client.setRequestHandler(ListRootsRequestSchema, () => ({ roots: [{ uri: 'file:///root' }] }));
    await client.connect(transport);
    return {
      sessionId: transport.sessionId ?? '',
      received: inbox.received,
      errors: inbox.errors,
      call: async (name, args = {}, { onProgress, signal } = {}) => {
        const result = await client.callTool({ name, arguments: args }, undefined, {
          ...(onProgress !== undefined && { onprogress: ({ progress }) => onProgress(progress) }),
          ...(signal !== undefined && { signal }),
        });
        return textOf(result);
      },
      request: async (method, params) => {
        if (method === 'logging/setLevel') await client.setLoggingLevel(params['level'] as 'error');
        else if (method === 'resources/subscribe') await client.subscribeResource({ uri: String(params['uri']) });
        else await client.unsubscribeResource({ uri: String(params['uri']) });
      },
      until: (fits) => inbox.until(fits),
      terminate: () => transport.terminateSession(),
      close: () => client.close(),
    };
  },
};

function textOf(result: unknown): string {
  const { content } = result as { content: readonly Json[] };
  return String(content[0]?.['text']);
}
