/** A request of a product, and what it must get. */
export interface Exchange {
  readonly send: {
    readonly method?: 'POST' | 'GET' | 'DELETE' | 'OPTIONS';
    /**
     * A method of MCP, sent as a request; one that begins with `notifications/` as a notification.
     */
    readonly rpc?: string;
    readonly params?: unknown;
    /** `own`: the id that the last `initialize` got. Any other text is sent as it is. */
    readonly sessionId?: string;
    readonly headers?: Readonly<Record<string, string>>;
  };
  readonly get: {
    readonly status: number;
    readonly type?: 'application/json' | 'text/event-stream';
    /** A text of the body. */
    readonly holds?: string;
    /** Headers of the answer, in part. */
    readonly headers?: Readonly<Record<string, string>>;
  };
}

/** What a known product sends, as public reports and sources show it. */
export interface Shape {
  readonly product: string;
  /** What is unusual about its requests, in Markdown. */
  readonly habit: string;
  /** What it gets, in Markdown. */
  readonly gets: string;
  /** The options that it needs, as the page shows them; `undefined`: none. */
  readonly set?: string;
  readonly options?: Readonly<Record<string, unknown>>;
  readonly exchanges: readonly Exchange[];
}

const BOTH = 'application/json, text/event-stream';
const JSON_ONLY = 'application/json';
const STREAM_ONLY = 'text/event-stream';

const CLAUDE = { origin: 'https://claude.ai' };
/** An id that a platform chose. */
const PLATFORM = 'agentcore-2f0c5a1e-7d1b-4f0e-9a53-6c1d8f0b7e21';
/** An id that no session has. */
const UNKNOWN = '0197b0f6-0000-7000-8000-000000000000';

type Headers = Readonly<Record<string, string>>;

/** `initialize`, `notifications/initialized` and a call, with the same headers in each request. */
function visit(accept: string, type: NonNullable<Exchange['get']['type']>, more: Headers = {}): Exchange[] {
  const headers = accept === '' ? more : { ...more, accept };
  // `initialize` is answered as JSON wherever the client can read it.
  const start = accept === STREAM_ONLY ? STREAM_ONLY : JSON_ONLY;
  return [
    { send: { rpc: 'initialize', headers }, get: { status: 200, type: start, holds: '"serverInfo"' } },
    { send: { rpc: 'notifications/initialized', sessionId: 'own', headers }, get: { status: 202 } },
    {
      send: { rpc: 'tools/call', params: NOTE, sessionId: 'own', headers },
      get: { status: 200, type, holds: '1 note' },
    },
  ];
}

const NOTE = { name: 'add_note', arguments: { text: 'buy milk' } };

/** Every product whose requests the tests replay. */
export const shapes: readonly Shape[] = [
  {
    product: 'Microsoft Copilot Studio, AWS DevOps Agent',
    habit: 'Reads JSON only: `Accept: application/json`',
    gets: 'JSON',
    exchanges: visit(JSON_ONLY, JSON_ONLY),
  },
  {
    product: 'ElevenLabs',
    habit: 'Reads streams only: `Accept: text/event-stream`',
    gets: 'Streams',
    exchanges: visit(STREAM_ONLY, STREAM_ONLY),
  },
  {
    product: 'Clients without `Accept`, or with `*/*`',
    habit: 'Say nothing about what they read',
    gets: 'JSON',
    exchanges: [...visit('', JSON_ONLY), ...visit('*/*', JSON_ONLY)],
  },
  {
    product: 'claude.ai, the Inspector in a browser, and other pages',
    habit: 'Send `Origin` and preflights, and read `Mcp-Session-Id` from a page',
    gets: 'The CORS headers that let the page send and read what MCP needs',
    set: "`allowedOrigins: ['https://claude.ai']`",
    options: { allowedOrigins: ['https://claude.ai'] },
    exchanges: [
      {
        send: {
          method: 'OPTIONS',
          headers: {
            ...CLAUDE,
            'access-control-request-method': 'POST',
            'access-control-request-headers': 'content-type,mcp-session-id',
          },
        },
        get: {
          status: 204,
          headers: {
            'access-control-allow-origin': 'https://claude.ai',
            'access-control-allow-headers': 'content-type,mcp-session-id',
          },
        },
      },
      {
        send: { rpc: 'initialize', headers: { ...CLAUDE, accept: BOTH } },
        get: {
          status: 200,
          headers: { 'access-control-expose-headers': 'Mcp-Session-Id, Retry-After, WWW-Authenticate' },
        },
      },
    ],
  },
  {
    product: 'opencode, and proxies that restart',
    habit: 'Send `initialize` with the id of a session that has ended',
    gets: 'A new session with another id',
    exchanges: [
      {
        send: { rpc: 'initialize', sessionId: UNKNOWN, headers: { accept: BOTH } },
        get: { status: 200, holds: '"serverInfo"' },
      },
      { send: { rpc: 'tools/list', sessionId: 'own', headers: { accept: BOTH } }, get: { status: 200 } },
    ],
  },
  {
    product: 'Amazon Bedrock AgentCore',
    habit: 'Sends an id of its own in each request, and a `ping` before anything',
    gets: 'The session that it began under its id',
    set: "`sessionIdOf: (request) => request.headers.get('mcp-session-id') ?? undefined`",
    options: { sessionIdOf: (request: Request) => request.headers.get('mcp-session-id') ?? undefined },
    exchanges: [
      { send: { rpc: 'ping', sessionId: PLATFORM, headers: { accept: BOTH } }, get: { status: 200 } },
      {
        send: { rpc: 'initialize', sessionId: PLATFORM, headers: { accept: BOTH } },
        get: { status: 200, holds: '"serverInfo"' },
      },
      {
        send: { rpc: 'tools/call', params: NOTE, sessionId: PLATFORM, headers: { accept: BOTH } },
        get: { status: 200, holds: '1 note' },
      },
      {
        send: { rpc: 'tools/call', params: { name: 'list_notes' }, sessionId: PLATFORM, headers: { accept: BOTH } },
        get: { status: 200, holds: 'buy milk' },
      },
    ],
  },
  {
    product: 'claude.ai, ChatGPT, AWS DevOps Agent, Gemini CLI',
    habit: 'Send calls without the id of their session, or without a session',
    gets: 'An answer to each request by itself. Without the option, 400',
    set: "`withoutSession: 'stateless'` and `createStatelessServer`",
    options: { withoutSession: 'stateless' },
    exchanges: [
      { send: { method: 'GET', headers: { accept: STREAM_ONLY } }, get: { status: 405 } },
      {
        send: { rpc: 'tools/call', params: { name: 'tell_time' }, headers: { accept: BOTH } },
        get: { status: 200, holds: 'It is noon' },
      },
    ],
  },
  {
    product: 'VS Code',
    habit: 'Begins a new session when its own is gone, on 404',
    gets: '404 for an id that is unknown or has ended',
    exchanges: [
      {
        send: { rpc: 'tools/list', sessionId: UNKNOWN, headers: { accept: BOTH } },
        get: { status: 404, holds: 'Session not found' },
      },
      ...visit(BOTH, STREAM_ONLY),
    ],
  },
  {
    product: 'Gemini CLI',
    habit: 'Opens a GET before `initialize`',
    gets: '400 for the GET. The session begins as usual',
    exchanges: [
      { send: { method: 'GET', headers: { accept: STREAM_ONLY } }, get: { status: 400 } },
      ...visit(BOTH, STREAM_ONLY),
    ],
  },
  {
    product: 'Cursor, Codex, claude.ai behind its proxy',
    habit: 'Open the standalone stream again without a cursor, at the moment that the first one breaks',
    gets: 'The stream',
    exchanges: [
      ...visit(BOTH, STREAM_ONLY),
      { send: { method: 'GET', sessionId: 'own', headers: { accept: STREAM_ONLY } }, get: { status: 200 } },
      { send: { method: 'GET', sessionId: 'own', headers: { accept: STREAM_ONLY } }, get: { status: 200 } },
    ],
  },
  {
    product: 'Any client, of a server that is paid by the second',
    habit: 'Keeps a standalone stream open',
    gets: '405, which clients take for a server without such a stream',
    set: '`standaloneStream: false`',
    options: { standaloneStream: false },
    exchanges: [
      ...visit(BOTH, STREAM_ONLY),
      { send: { method: 'GET', sessionId: 'own', headers: { accept: STREAM_ONLY } }, get: { status: 405 } },
    ],
  },
  {
    product: 'n8n, ChatGPT, claude.ai in a chat',
    habit: 'Begin a session for each call, and send no DELETE',
    gets: 'A session for each call, which expires',
    exchanges: [...visit(BOTH, STREAM_ONLY), ...visit(BOTH, STREAM_ONLY)],
  },
];
