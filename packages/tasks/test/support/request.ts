import { TASKS_EXTENSION } from '../../src/v2.ts';

const REVISION = '2026-07-28';

/** What a server answers. */
export type Answer = Record<string, unknown> & { readonly result?: Record<string, unknown> };

/** What a client can say in a request. */
export interface RequestParts {
  readonly declares?: boolean;
  /** The header `Mcp-Name`. Default: none. */
  readonly name?: string;
  /** The tool makes a task in any case; `caught`: it answers for itself if it cannot. */
  readonly must?: boolean | 'caught';
  /** What else the `_meta` has. */
  readonly meta?: object;
}

/** A request of revision 2026-07-28. */
export function modernRequest(
  url: string,
  method: string,
  params: object,
  { declares = true, name = '', must = false, meta }: RequestParts = {},
): Request {
  const extensions = declares ? { [TASKS_EXTENSION]: {} } : {};
  const _meta = {
    'io.modelcontextprotocol/protocolVersion': REVISION,
    'io.modelcontextprotocol/clientInfo': { name: 'raw', version: '1' },
    'io.modelcontextprotocol/clientCapabilities': { elicitation: { form: {} }, extensions },
    ...(must !== false && { must }),
    ...meta,
  };
  return new Request(url, {
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
}

/** The answer in a response of either type. */
export async function answerOf(response: Response): Promise<Answer> {
  const text = await response.text();
  const json = text.startsWith('{') ? text : (/^data: (\{.*)$/m.exec(text)?.[1] ?? '{}');
  return JSON.parse(json) as Answer;
}

/** The messages in a response of either type, as they come. */
export async function* messagesOf({ body }: Response): AsyncGenerator<Answer, void> {
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
      // The first event of a stream has an id and empty data.
      const data = /^data: (.+)$/m.exec(frame)?.[1];
      if (data !== undefined) yield JSON.parse(data) as Answer;
    }
  }
}
