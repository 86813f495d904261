import type { JsonRpcMessage, RequestId } from '../protocol/json-rpc.ts';

/** The parts of a verified access token, in the form of both SDK lines, that this package reads. */
export interface AuthFacts {
  /** When the token expires, in Unix seconds: streams end then. Default: never. */
  readonly expiresAt?: number | undefined;
  /** A stream of a call is resumed only with all scopes that the call had. Default: none. */
  readonly scopes?: readonly string[] | undefined;
  readonly extra?: Readonly<Record<string, unknown>> | undefined;
}

/** A request with its verified token. */
export interface Caller {
  readonly request: Request;
  readonly authInfo: AuthFacts | undefined;
}

/** The transport of a session, as the SDKs see it: the `Transport` of either line. */
export interface TransportLike {
  /** Left out: there is no session. */
  readonly sessionId?: string;
  onmessage?: ((message: JsonRpcMessage, extra?: unknown) => void) | undefined;
  onclose?: (() => void) | undefined;
  onerror?: ((error: Error) => void) | undefined;
  /**
   * The scope resolver that SDK v2 sets while it connects; `undefined`: the server requires no
   * scopes.
   */
  readonly scopeResolver: unknown;
  start(): Promise<void>;
  send(message: JsonRpcMessage, options?: { readonly relatedRequestId?: RequestId | undefined }): Promise<void>;
  close(): Promise<void>;
}

/** What a server gets with a message. */
export interface MessageContext {
  readonly request: Request;
  readonly authInfo: AuthFacts | undefined;
  /**
   * Closes the connection that answers this request, so that the client resumes it later;
   * `undefined`: the client could not.
   */
  readonly closeStream: (() => void) | undefined;
  /** The same for the session's standalone stream. */
  readonly closeStandaloneStream: (() => void) | undefined;
}

/**
 * A server of either SDK line: `McpServer`, or the `Server` inside it. By structure and not by
 * class: to TypeScript, the class that a CommonJS project imports is a different one.
 */
export interface ServerLike {
  // `never` is assignable to every transport type.
  connect(transport: never): Promise<void>;
  close(): Promise<void>;
}

/** The differences between the two SDK lines. */
export interface SdkAdapter {
  /** Revisions of the sessionful era that the SDK speaks. */
  readonly protocolVersions: readonly string[];
  /** @throws Any error, if the value is no JSON-RPC message. */
  parseMessage(value: unknown): JsonRpcMessage;
  connect(server: ServerLike, transport: TransportLike): Promise<void>;
  /** The `extra` of a message, as the SDK's own HTTP transport builds it. */
  messageExtra(context: MessageContext): unknown;
  /**
   * The response to requests whose token lacks a scope that their tool, resource or prompt
   * requires; `undefined`: none lacks any.
   */
  refuseScopes?(
    transport: TransportLike,
    messages: readonly JsonRpcMessage[],
    authInfo: AuthFacts | undefined,
  ): Promise<Response | undefined>;
}
