import {
  type AuthInfo,
  bearerAuthChallengeResponse,
  getOAuthProtectedResourceMetadataUrl,
  isJSONRPCRequest,
  type McpServer,
  type MessageExtraInfo,
  OAuthError,
  OAuthErrorCode,
  parseJSONRPCMessage,
  type ScopeChallengeHandler,
  SUPPORTED_PROTOCOL_VERSIONS,
  type Transport,
} from '@modelcontextprotocol/server';
import type { StateSchemas } from '@mcp-session/core';
import { Handler, type SessionHandler } from './lib/handler.ts';
import type { SessionHandlerOptions } from './lib/options.ts';
import type { Sdk } from './lib/sdk.ts';

export type { BroadcastNotification, BroadcastOptions } from './lib/broadcast.ts';
export type { CloseOptions, FetchOptions, SessionHandler } from './lib/handler.ts';
export type { ServerContext, SessionHandlerOptions } from './lib/options.ts';
export type { AuthInfo };

/** A server of SDK v2: `McpServer`, or the `Server` beneath it. */
export type V2Server = McpServer | McpServer['server'];

const sdk: Sdk<V2Server, AuthInfo> = {
  protocolVersions: SUPPORTED_PROTOCOL_VERSIONS,
  parseMessage: (value) => parseJSONRPCMessage(value),
  connect: (server, transport) => server.connect(transport satisfies Transport),
  messageExtra: ({ request, authInfo, closeStream, closeStandaloneStream }): MessageExtraInfo => ({
    ...(authInfo !== undefined && { authInfo }),
    request,
    ...(closeStream !== undefined && { closeSSEStream: closeStream }),
    ...(closeStandaloneStream !== undefined && { closeStandaloneSSEStream: closeStandaloneStream }),
  }),
  refuseScopes: async ({ scopeResolver }, messages, authInfo) => {
    if (scopeResolver === undefined) return undefined;
    for (const message of messages) {
      if (!isJSONRPCRequest(message)) continue;
      const challenge = await (scopeResolver as ScopeChallengeHandler)({
        request: message,
        ...(authInfo !== undefined && { authInfo }),
      });
      if (challenge === undefined) continue;
      const error = new OAuthError(
        OAuthErrorCode.InsufficientScope,
        challenge.errorDescription ?? 'Insufficient scope',
      );
      const resourceMetadataUrl = metadataUrl(authInfo);
      return bearerAuthChallengeResponse(error, {
        requiredScopes: [...challenge.scopes],
        ...(resourceMetadataUrl !== undefined && { resourceMetadataUrl }),
      });
    }
    return undefined;
  },
};

/** Where a client finds out how to get a scope, as the SDK's own HTTP transport tells it. */
function metadataUrl(authInfo: AuthInfo | undefined): string | undefined {
  if (authInfo?.resourceMetadataUrl !== undefined) return authInfo.resourceMetadataUrl;
  const { resource } = authInfo ?? {};
  return resource !== undefined && /^https?:$/.test(resource.protocol)
    ? getOAuthProtectedResourceMetadataUrl(resource)
    : undefined;
}

/**
 * Makes a handler for servers of SDK v2 (`@modelcontextprotocol/server`) and clients of the sessionful revisions, 2024-11-05 to 2025-11-25.
 *
 * @throws TypeError or RangeError for an option.
 */
export function createSessionHandler<S extends StateSchemas = StateSchemas>(
  options: SessionHandlerOptions<V2Server, AuthInfo, S>,
): SessionHandler<AuthInfo> {
  return new Handler(sdk, options);
}
