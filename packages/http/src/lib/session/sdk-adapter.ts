import type { JsonRpcMessage, RequestId } from '../protocol/json-rpc.ts';

/** What both SDK lines tell of a verified access token, as far as it is needed to tell whose it is. */
export interface AuthFacts {
  /** When the token expires, in Unix seconds: streams end then. `undefined`: never. */
  readonly expiresAt?: number | undefined;
  readonly extra?: Readonly<Record<string, unknown>> | undefined;
}

/** Whose request it is that begins or restores a session. */
export interface Caller {
  readonly request: Request;
  readonly authInfo: AuthFacts | undefined;
}

/** The transport of a session, as the SDK lines see it: the `Transport` of either. */
export interface TransportLike {
  readonly sessionId: string;
  onmessage?: ((message: JsonRpcMessage, extra?: unknown) => void) | undefined;
  onclose?: (() => void) | undefined;
  onerror?: ((error: Error) => void) | undefined;
  /** What the server asks scopes with, set by SDK v2 while it connects; `undefined`: it asks for none. */
  readonly scopeResolver: unknown;
  start(): Promise<void>;
  send(message: JsonRpcMessage, options?: { readonly relatedRequestId?: RequestId | undefined }): Promise<void>;
  close(): Promise<void>;
}

/** What is passed to a server beside a message, in the words of its SDK line. */
export interface MessageContext {
  readonly request: Request;
  readonly authInfo: AuthFacts | undefined;
  /** Closes the connection on which this request is answered, so that the client comes back for the rest; `undefined`: it could not. */
  readonly closeStream: (() => void) | undefined;
  /** The same for the session's standalone stream. */
  readonly closeStandaloneStream: (() => void) | undefined;
}

/**
 * The least that a server of either SDK line does: `McpServer`, or the `Server` beneath it. Described by its form and not by its class: to TypeScript, the class that
 * a CommonJS project imports is another one, though it is the same at run time.
 */
export interface ServerLike {
  // `never` fits whatever transport a server takes.
  connect(transport: never): Promise<void>;
  close(): Promise<void>;
}

/** What differs between the two lines of the official SDK. */
export interface SdkAdapter {
  /** Revisions of the sessionful era that the SDK speaks. */
  readonly protocolVersions: readonly string[];
  /** @throws Anything where the value is no JSON-RPC message. */
  parseMessage(value: unknown): JsonRpcMessage;
  connect(server: ServerLike, transport: TransportLike): Promise<void>;
  /** The `extra` of a message, as the SDK's own HTTP transport builds it. */
  messageExtra(context: MessageContext): unknown;
  /** The refusal of requests that lack a scope which their tool, resource or prompt asks for; `undefined`: none lacks any. */
  refuseScopes?(
    transport: TransportLike,
    messages: readonly JsonRpcMessage[],
    authInfo: AuthFacts | undefined,
  ): Promise<Response | undefined>;
}
