import type { Session, SessionStore } from '@mcp-session/core';
import type { SessionHandler, SessionHandlerOptions } from '../../src/v1.ts';

export type Json = Record<string, unknown>;

/** What a tool of a test can do, in the words of neither SDK line. */
export interface ToolContext {
  readonly requestId: string | number;
  readonly signal: AbortSignal;
  /** On the stream of the request. */
  notify(method: string, params: Json): Promise<void>;
  /** Reports progress, if the client asked for it. */
  progress(progress: number): Promise<void>;
  /** Asks the client, on the stream of the request. */
  elicit(message: string, timeoutMs?: number): Promise<Json>;
  /** Asks the client's model, on the stream of the request. */
  sample(text: string, timeoutMs?: number): Promise<string>;
  closeStream(): void;
  closeStandaloneStream(): void;
}

/** What a server of a test can do outside of its requests. */
export interface ServerPort {
  close(): Promise<void>;
  notify(method: string, params: Json): Promise<void>;
  /** Asks the client, and names no request of it. */
  elicit(message: string, timeoutMs?: number): Promise<Json>;
  sample(text: string): Promise<string>;
  listRoots(options?: {
    readonly onProgress?: (progress: number) => void;
    readonly signal?: AbortSignal;
  }): Promise<unknown>;
}

export type Tool = (args: Json, context: ToolContext, server: ServerPort) => Promise<string> | string;

export interface TestServer {
  /** Of its `serverInfo`. Default: `1.0.0`. */
  readonly version?: string;
  readonly tools: Readonly<Record<string, Tool>>;
  readonly onInitialized?: (server: ServerPort) => void;
  readonly onCreated?: (server: ServerPort) => void;
  readonly onSubscribe?: (uri: string) => unknown;
  readonly onLevel?: (level: string) => void;
  readonly onRootsChanged?: () => void;
  readonly onError?: (error: Error) => void;
}

type Shared = Pick<
  SessionHandlerOptions<never, never>,
  | 'maxLocalSessions'
  | 'localIdleMs'
  | 'retryIntervalMs'
  | 'restartRetryMs'
  | 'maxStreamMs'
  | 'standaloneStream'
  | 'holdMs'
  | 'keepAliveMs'
  | 'leaseMs'
  | 'abandonAfterMs'
  | 'setupTimeoutMs'
  | 'maxBodyBytes'
  | 'responses'
  | 'maxOpenRequests'
  | 'maxOpenRequestsPerPrincipal'
  | 'maxOpenRequestsPerProcess'
  | 'maxOpenStreams'
  | 'maxOpenStreamsPerPrincipal'
  | 'generateSessionId'
  | 'sessionIdOf'
  | 'withoutSession'
  | 'maxSessionsPerPrincipal'
  | 'onSessionLimit'
  | 'addressOf'
  | 'sessionTtlMs'
  | 'uninitializedTtlMs'
  | 'revision'
  | 'allowedHosts'
  | 'allowedOrigins'
  | 'onError'
  | 'logger'
  | 'observe'
  | 'onStoreError'
  | 'onStoreStatus'
>;

export interface TestAuth {
  readonly token: string;
  readonly clientId: string;
  readonly scopes: string[];
  readonly extra?: Record<string, unknown>;
}

export interface TestOptions extends Shared {
  readonly store: SessionStore;
  readonly serve: (session: Session, restored: boolean) => TestServer | Promise<TestServer>;
  readonly onRestore?: () => void | Promise<void>;
  readonly stateless?: () => TestServer;
  readonly onSessionCreate?: NonNullable<SessionHandlerOptions<never, TestAuth>['onSessionCreate']>;
  readonly principal?: (auth: TestAuth | undefined) => string | null | undefined;
}

export interface Received {
  readonly method: string;
  readonly params: Json;
}

export interface TestClient {
  readonly sessionId: string;
  readonly received: readonly Received[];
  readonly errors: readonly Error[];
  call(
    tool: string,
    args?: Json,
    options?: { readonly onProgress?: (progress: number) => void; readonly signal?: AbortSignal },
  ): Promise<string>;
  request(method: 'logging/setLevel' | 'resources/subscribe' | 'resources/unsubscribe', params: Json): Promise<void>;
  /** Resolves when the client has got a notification that fits. */
  until(fits: (received: Received) => boolean): Promise<Received>;
  terminate(): Promise<void>;
  close(): Promise<void>;
}

export interface ClientOptions {
  readonly onElicit?: (message: string) => Json | Promise<Json>;
  readonly onSample?: (text: string) => string;
  readonly fetch?: typeof fetch;
  readonly headers?: Record<string, string>;
  /** Is called with the names of the tools whenever the client has fetched them again. */
  readonly onTools?: (names: readonly string[]) => void;
}

/** One line of the official SDK: what differs between the two is in `v1.ts` and `v2.ts`. */
export interface Line {
  readonly name: string;
  createHandler(options: TestOptions): SessionHandler<TestAuth>;
  connect(url: URL, options?: ClientOptions): Promise<TestClient>;
}

/** What of the options is passed on as it is. */
export function passedOn({
  serve,
  onRestore,
  principal,
  stateless,
  ...options
}: TestOptions): Omit<TestOptions, 'serve' | 'onRestore' | 'principal' | 'stateless'> {
  return options;
}

/** The notifications that a client has got, and who waits for one. */
export class Inbox {
  readonly received: Received[] = [];
  readonly errors: Error[] = [];
  readonly #waiting = new Set<() => void>();

  add(received: Received): void {
    this.received.push(received);
    for (const look of this.#waiting) look();
  }

  until(fits: (received: Received) => boolean): Promise<Received> {
    return new Promise((resolve) => {
      const look = (): void => {
        const found = this.received.find(fits);
        if (found === undefined) return;
        this.#waiting.delete(look);
        resolve(found);
      };
      this.#waiting.add(look);
      look();
    });
  }
}
