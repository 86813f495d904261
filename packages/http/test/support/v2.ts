import { Client, StreamableHTTPClientTransport } from '@modelcontextprotocol/client';
import { McpServer } from '@modelcontextprotocol/server';
import { createSessionHandler } from '../../src/v2.ts';
import { Inbox, type Line, passedOn, type ServerPort, type TestServer } from './line.ts';

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
  const mcp = new McpServer({ name: 'test', version });
  const { server } = mcp;
  server.registerCapabilities({ tools: { listChanged: true }, logging: {}, resources: { subscribe: true } });
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
      return 'text' in content ? content.text : '';
    },
    listRoots: ({ onProgress, signal } = {}) =>
      server.request(
        { method: 'roots/list' },
        {
          ...(onProgress !== undefined && { onprogress: ({ progress }) => onProgress(progress) }),
          ...(signal !== undefined && { signal }),
        },
      ),
  };
  server.setRequestHandler('tools/list', () => ({
    tools: Object.keys(tools).map((name) => ({ name, inputSchema: { type: 'object' as const } })),
  }));
  server.setRequestHandler('tools/call', async ({ params }, { mcpReq, http }) => {
    const tool = tools[params.name];
    if (tool === undefined) throw new Error(`No tool ${params.name}`);
    const text = await tool(
      params.arguments ?? {},
      {
        requestId: mcpReq.id,
        signal: mcpReq.signal,
        notify: (method, args) => mcpReq.notify({ method, params: args }),
        progress: async (progress) => {
          const progressToken = mcpReq._meta?.progressToken;
          if (progressToken !== undefined) {
            await mcpReq.notify({ method: 'notifications/progress', params: { progressToken, progress } });
          }
        },
        elicit: async (message, timeout = 60_000) => {
          const requestedSchema = { type: 'object' as const, properties: {} };
          const options = { relatedRequestId: mcpReq.id, timeout };
          const result = await mcpReq.elicitInput({ message, requestedSchema }, options);
          return result.content ?? {};
        },
        sample: async (text, timeout = 60_000) => {
          const messages = [{ role: 'user' as const, content: { type: 'text' as const, text } }];
          const options = { relatedRequestId: mcpReq.id, timeout };
          const { content } = await mcpReq.requestSampling({ messages, maxTokens: 10 }, options);
          return 'text' in content ? content.text : '';
        },
        closeStream: () => http?.closeSSE?.(),
        closeStandaloneStream: () => http?.closeStandaloneSSE?.(),
      },
      port,
    );
    return { content: [{ type: 'text', text }] };
  });
  server.setRequestHandler('resources/subscribe', async ({ params }) => {
    await onSubscribe?.(params.uri);
    return {};
  });
  server.setRequestHandler('resources/unsubscribe', () => ({}));
  if (onLevel !== undefined) {
    server.setRequestHandler('logging/setLevel', ({ params }) => {
      onLevel(params.level);
      return {};
    });
  }
  if (onError !== undefined) server.onerror = onError;
  if (onRootsChanged !== undefined) {
    server.setNotificationHandler('notifications/roots/list_changed', () => onRootsChanged());
  }
  server.oninitialized = () => onInitialized?.(port);
  onCreated?.(port);
  return mcp;
}

export const v2: Line = {
  name: 'v2',
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
    client.setRequestHandler('elicitation/create', async ({ params }) => ({
      action: 'accept',
      content: ((await onElicit?.(params.message)) ?? {}) as Record<string, string>,
    }));
    client.setRequestHandler('sampling/createMessage', ({ params }) => {
      const content = params.messages[0]?.content;
      const asked = content !== undefined && 'text' in content ? content.text : '';
      return { model: 'test', role: 'assistant', content: { type: 'text', text: onSample?.(asked) ?? '' } };
    });
    client.setRequestHandler('roots/list', () => ({ roots: [{ uri: 'file:///root' }] }));
    await client.connect(transport);
    return {
      sessionId: transport.sessionId ?? '',
      received: inbox.received,
      errors: inbox.errors,
      call: async (name, args = {}, { onProgress, signal } = {}) => {
        const { content } = await client.callTool(
          { name, arguments: args },
          {
            ...(onProgress !== undefined && { onprogress: ({ progress }) => onProgress(progress) }),
            ...(signal !== undefined && { signal }),
          },
        );
        return content[0]?.type === 'text' ? content[0].text : '';
      },
      request: async (method, params) => {
        if (method === 'logging/setLevel') await client.request({ method, params: { level: params['level'] } });
        else if (method === 'resources/subscribe') await client.subscribeResource({ uri: String(params['uri']) });
        else await client.unsubscribeResource({ uri: String(params['uri']) });
      },
      until: (fits) => inbox.until(fits),
      terminate: () => transport.terminateSession(),
      close: () => client.close(),
    };
  },
};
