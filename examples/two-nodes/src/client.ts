// An application with an ordinary client of the official SDK:
// `node client.ts http://127.0.0.1:3000/mcp`
import {
  type CallToolRequestOptions,
  type CallToolRequest,
  Client,
  ProtocolError,
  ProtocolErrorCode,
  SdkHttpError,
  StreamableHTTPClientTransport,
} from '@modelcontextprotocol/client';
import { fileURLToPath } from 'node:url';

/** Connects. `nameReport` answers for the user, who is asked for the title of a report. */
export async function connect(
  url: string,
  nameReport: () => string,
): Promise<{ readonly client: Client; readonly sessionId: string | undefined }> {
  const client = new Client({ name: 'two-nodes', version: '1.0.0' }, { capabilities: { elicitation: {} } });
  client.setRequestHandler('elicitation/create', () => ({ action: 'accept', content: { title: nameReport() } }));
  const transport = new StreamableHTTPClientTransport(new URL(url));
  await client.connect(transport);
  return { client, sessionId: transport.sessionId };
}

/**
 * Calls a tool, and calls it again if the node that ran it has died. Only for tools that can be
 * called again, such as those of this server, which continue where they stopped.
 *
 * @param onRepeat Called with the reason, each time.
 * @returns The text of the answer.
 */
export async function callTool(
  client: Client,
  params: CallToolRequest['params'],
  options?: CallToolRequestOptions,
  onRepeat?: (error: Error) => void,
): Promise<string> {
  for (let attempt = 1; ; attempt++) {
    try {
      const { content } = await client.callTool(params, options);
      return content.map((item) => (item.type === 'text' ? item.text : '')).join('\n');
    } catch (error) {
      if (!(error instanceof Error) || !isLost(error) || attempt === 5) throw error;
      onRepeat?.(error);
    }
  }
}

/**
 * The errors of servers for a call whose node has died, and of the load balancer for a request that
 * got lost.
 */
function isLost(error: Error): boolean {
  const internal: number = ProtocolErrorCode.InternalError;
  if (error instanceof ProtocolError) return error.code === internal;
  return error instanceof SdkHttpError && error.status === 502;
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const [url = 'http://127.0.0.1:3000/mcp', pages = '10'] = process.argv.slice(2);
  const { client, sessionId } = await connect(url, () => 'Two nodes').catch((error: unknown) => {
    const { message, cause } = error as Error;
    console.error(`No server answers at ${url}: ${cause instanceof Error ? cause.message : message}`);
    process.exit(1);
  });
  console.log(`Session ${sessionId}`);
  const report = await callTool(
    client,
    { name: 'write_report', arguments: { pages: Number(pages) } },
    { onprogress: ({ progress, total }) => console.log(`Page ${progress} of ${total}`) },
    ({ message }) => console.log(`Calls again: ${message}`),
  );
  console.log(`Report ${report}`);
  await client.close();
}
