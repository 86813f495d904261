import type { JsonRpcMessage } from './json-rpc.ts';
import type { AuthFacts } from './principal.ts';
import type { SessionTransport } from './transport.ts';

/** What is passed to a server beside a message, in the words of its SDK line. */
export interface MessageContext<AuthInfo> {
  readonly request: Request;
  readonly authInfo: AuthInfo | undefined;
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
export interface Sdk<Server extends ServerLike, AuthInfo extends AuthFacts> {
  /** Revisions of the sessionful era that the SDK speaks. */
  readonly protocolVersions: readonly string[];
  /** @throws Anything where the value is no JSON-RPC message. */
  parseMessage(value: unknown): JsonRpcMessage;
  connect(server: Server, transport: SessionTransport): Promise<void>;
  /** The `extra` of a message, as the SDK's own HTTP transport builds it. */
  messageExtra(context: MessageContext<AuthInfo>): unknown;
  /** The refusal of requests that lack a scope which their tool, resource or prompt asks for; `undefined`: none lacks any. */
  refuseScopes?(
    transport: SessionTransport,
    messages: readonly JsonRpcMessage[],
    authInfo: AuthInfo | undefined,
  ): Promise<Response | undefined>;
}
