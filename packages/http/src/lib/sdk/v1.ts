import type { StateSchemas } from '@mcp-session/core';
import type { AuthInfo } from '@modelcontextprotocol/sdk/server/auth/types.js';
import type { Transport } from '@modelcontextprotocol/sdk/shared/transport.js';
import {
  JSONRPCMessageSchema,
  type MessageExtraInfo,
  SUPPORTED_PROTOCOL_VERSIONS,
} from '@modelcontextprotocol/sdk/types.js';
import { Handler } from '../handler/handler.ts';
import type { SessionHandlerOptions } from '../handler/options.ts';
import { resolveOptions } from '../handler/resolve-options.ts';
import type { SessionHandler as HandlerOf } from '../handler/session-handler.ts';
import { Shutdown } from '../handler/shutdown.ts';
import type { SdkAdapter, ServerLike } from '../session/sdk-adapter.ts';

export type { AuthInfo };

/**
 * A server of SDK v1: `McpServer`, or the `Server` beneath it. By structure: to TypeScript, the
 * class that a CommonJS project imports is a different one.
 */
export type V1Server = ServerLike;

/** What `createSessionHandler` returns. */
export type SessionHandler<Auth = AuthInfo> = HandlerOf<Auth>;

const sdk: SdkAdapter = {
  protocolVersions: SUPPORTED_PROTOCOL_VERSIONS,
  parseMessage: (value) => JSONRPCMessageSchema.parse(value),
  connect: (server, transport) => server.connect(transport satisfies Transport as never),
  messageExtra: ({ request, authInfo, closeStream, closeStandaloneStream }): MessageExtraInfo => ({
    ...(authInfo !== undefined && { authInfo: authInfo as AuthInfo }),
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
export function createSessionHandler<
  S extends StateSchemas = StateSchemas,
  Server extends V1Server = V1Server,
  U extends StateSchemas = StateSchemas,
>(options: SessionHandlerOptions<Server, AuthInfo, S, U>): SessionHandler {
  return new Handler(sdk, resolveOptions(options), new Shutdown());
}
