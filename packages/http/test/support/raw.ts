import type { Json } from './line.ts';

/** A frame of an SSE stream as it came; a comment has only that. */
export interface Frame {
  readonly id?: string;
  readonly retry?: number;
  readonly data?: string;
  readonly comment?: string;
}

/** An SSE stream that is read by hand. */
export class SseReader {
  readonly #reader: ReadableStreamDefaultReader<string>;
  #text = '';
  #done = false;

  constructor(body: ReadableStream<Uint8Array>) {
    this.#reader = body.pipeThrough(new TextDecoderStream()).getReader();
  }

  /** The next frame; `undefined`: the stream has ended in good order. */
  async next(): Promise<Frame | undefined> {
    for (;;) {
      const end = this.#text.indexOf('\n\n');
      if (end >= 0) {
        const block = this.#text.slice(0, end);
        this.#text = this.#text.slice(end + 2);
        return parse(block);
      }
      if (this.#done) return undefined;
      const { done, value } = await this.#reader.read();
      this.#done = done;
      this.#text += value ?? '';
    }
  }

  /** The next frame with a JSON-RPC message. */
  async message(): Promise<{ readonly id: string; readonly message: Json }> {
    for (;;) {
      const frame = await this.next();
      if (frame === undefined) throw new Error('Stream has ended without the message');
      if (frame.data) return { id: frame.id ?? '', message: JSON.parse(frame.data) as Json };
    }
  }

  /** All frames until the end of the stream. */
  async rest(): Promise<Frame[]> {
    const frames: Frame[] = [];
    for (;;) {
      const frame = await this.next();
      if (frame === undefined) return frames;
      frames.push(frame);
    }
  }

  async cancel(): Promise<void> {
    await this.#reader.cancel();
  }
}

function parse(block: string): Frame {
  const frame: { id?: string; retry?: number; data?: string; comment?: string } = {};
  for (const line of block.split('\n')) {
    const colon = line.indexOf(':');
    const value = line.slice(colon + 1).replace(/^ /, '');
    const name = line.slice(0, colon);
    if (name === '') frame.comment = value;
    else if (name === 'retry') frame.retry = Number(value);
    else if (name === 'id' || name === 'data') frame[name] = value;
  }
  return frame;
}

export interface RawResponse {
  readonly status: number;
  readonly headers: Headers;
  /** Reads the body as JSON. */
  json(): Promise<Json>;
  /** The error of a JSON-RPC body. */
  error(): Promise<{ readonly code: number; readonly message: string }>;
  readonly sse: SseReader;
  cancel(): Promise<void>;
}

/**
 * Every response of the test file. When a response that nobody reads is garbage, Node closes its
 * connection (nodejs/undici#3199), as if the client had left.
 */
const responses: Response[] = [];

/** A client that speaks HTTP by hand, and so can break every rule. */
export class RawClient {
  readonly url: URL;
  readonly headers: Record<string, string>;
  #id = 0;

  constructor(url: URL, headers: Record<string, string> = {}) {
    this.url = url;
    this.headers = headers;
  }

  async send(method: string, headers: Record<string, string | undefined>, body?: string): Promise<RawResponse> {
    const merged = Object.entries({ ...this.headers, ...headers }).filter(
      (entry): entry is [string, string] => entry[1] !== undefined,
    );
    const response = await fetch(this.url, {
      method,
      headers: Object.fromEntries(merged),
      ...(body !== undefined && { body }),
    });
    responses.push(response);
    let sse: SseReader | undefined;
    return {
      status: response.status,
      headers: response.headers,
      json: async () => (await response.json()) as Json,
      error: async () => ((await response.json()) as { error: { code: number; message: string } }).error,
      get sse() {
        if (response.body === null) throw new Error('Response has no body');
        return (sse ??= new SseReader(response.body as ReadableStream<Uint8Array>));
      },
      cancel: async () => (sse === undefined ? response.body?.cancel() : sse.cancel()),
    };
  }

  post(message: unknown, headers: Record<string, string | undefined> = {}): Promise<RawResponse> {
    return this.send(
      'POST',
      { 'content-type': 'application/json', accept: 'application/json, text/event-stream', ...headers },
      JSON.stringify(message),
    );
  }

  get(headers: Record<string, string | undefined> = {}): Promise<RawResponse> {
    return this.send('GET', { accept: 'text/event-stream', ...headers });
  }

  delete(headers: Record<string, string | undefined> = {}): Promise<RawResponse> {
    return this.send('DELETE', headers);
  }

  /** A `tools/call` request with a new id. */
  toolCall(name: string, args: Json = {}): Json & { readonly id: number } {
    return { jsonrpc: '2.0', id: ++this.#id, method: 'tools/call', params: { name, arguments: args } };
  }

  callTool(name: string, args: Json = {}): Promise<RawResponse> {
    return this.post(this.toolCall(name, args));
  }

  /** Begins a session and says so, and sends its headers from then on. */
  async begin(protocolVersion = '2025-11-25'): Promise<string> {
    const response = await this.post(initialize(protocolVersion));
    const id = response.headers.get('mcp-session-id') ?? '';
    await response.cancel();
    Object.assign(this.headers, { 'mcp-session-id': id, 'mcp-protocol-version': protocolVersion });
    await (await this.post({ jsonrpc: '2.0', method: 'notifications/initialized' })).cancel();
    return id;
  }
}

export function initialize(protocolVersion = '2025-11-25', id: number | string = 'init'): Json {
  return {
    jsonrpc: '2.0',
    id,
    method: 'initialize',
    params: {
      protocolVersion,
      capabilities: { roots: {}, elicitation: {} },
      clientInfo: { name: 'raw', version: '1' },
    },
  };
}
