import type { AuthInfo } from '@modelcontextprotocol/sdk/server/auth/types.js';
import type { Transport } from '@modelcontextprotocol/sdk/shared/transport.js';
import {
  JSONRPCMessageSchema,
  SUPPORTED_PROTOCOL_VERSIONS,
  type MessageExtraInfo,
} from '@modelcontextprotocol/sdk/types.js';
import type { StateSchemas } from '@mcp-session/core';
import { Handler, type SessionHandler as HandlerOf } from './lib/handler.ts';
import type { SessionHandlerOptions } from './lib/options.ts';
import type { Sdk, ServerLike } from './lib/sdk.ts';

export type { BroadcastNotification, BroadcastOptions } from './lib/broadcast.ts';
export type { CloseOptions, FetchOptions } from './lib/handler.ts';
export type { ServerContext, SessionHandlerOptions } from './lib/options.ts';
export type { StoreStatus } from './lib/store-health.ts';
export type { AuthInfo };

/** A server of SDK v1: `McpServer`, or the `Server` beneath it. By its form: the class that a CommonJS project imports is another one to TypeScript. */
export type V1Server = ServerLike;

/** What `createSessionHandler` gives. */
export type SessionHandler<Auth = AuthInfo> = HandlerOf<Auth>;

const sdk: Sdk<V1Server, AuthInfo> = {
  protocolVersions: SUPPORTED_PROTOCOL_VERSIONS,
  parseMessage: (value) => JSONRPCMessageSchema.parse(value),
  connect: (server, transport) => server.connect(transport satisfies Transport as never),
  messageExtra: ({ request, authInfo, closeStream, closeStandaloneStream }): MessageExtraInfo => ({
    ...(authInfo !== undefined && { authInfo }),
    requestInfo: { headers: Object.fromEntries(request.headers), url: new URL(request.url) },
    ...(closeStream !== undefined && { closeSSEStream: closeStream }),
    ...(closeStandaloneStream !== undefined && { closeStandaloneSSEStream: closeStandaloneStream }),
  }),
};

/**
 * Makes a handler for servers of SDK v1 (`@modelcontextprotocol/sdk`).
 *
 * @throws TypeError or RangeError for an option.
 */
export function createSessionHandler<S extends StateSchemas = StateSchemas, Server extends V1Server = V1Server>(
  options: SessionHandlerOptions<Server, AuthInfo, S>,
): SessionHandler {
  return new Handler<Server, AuthInfo, S>(sdk, options);
}
