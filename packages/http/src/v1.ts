import type { McpServer } from '@modelcontextprotocol/sdk/server/mcp.js';
import type { AuthInfo } from '@modelcontextprotocol/sdk/server/auth/types.js';
import type { Transport } from '@modelcontextprotocol/sdk/shared/transport.js';
import {
  JSONRPCMessageSchema,
  SUPPORTED_PROTOCOL_VERSIONS,
  type MessageExtraInfo,
} from '@modelcontextprotocol/sdk/types.js';
import type { StateSchemas } from '@mcp-session/core';
import { Handler, type SessionHandler } from './lib/handler.ts';
import type { SessionHandlerOptions } from './lib/options.ts';
import type { Sdk } from './lib/sdk.ts';

export type { BroadcastNotification, BroadcastOptions } from './lib/broadcast.ts';
export type { CloseOptions, FetchOptions, SessionHandler } from './lib/handler.ts';
export type { ServerContext, SessionHandlerOptions } from './lib/options.ts';
export type { StoreStatus } from './lib/store-health.ts';
export type { AuthInfo };

/** A server of SDK v1: `McpServer`, or the `Server` beneath it. */
export type V1Server = McpServer | McpServer['server'];

const sdk: Sdk<V1Server, AuthInfo> = {
  protocolVersions: SUPPORTED_PROTOCOL_VERSIONS,
  parseMessage: (value) => JSONRPCMessageSchema.parse(value),
  connect: (server, transport) => server.connect(transport satisfies Transport),
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
export function createSessionHandler<S extends StateSchemas = StateSchemas>(
  options: SessionHandlerOptions<V1Server, AuthInfo, S>,
): SessionHandler<AuthInfo> {
  return new Handler(sdk, options);
}
