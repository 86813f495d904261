import type { StateSchemas } from '@mcp-session/core';
import {
  type AuthInfo,
  bearerAuthChallengeResponse,
  getOAuthProtectedResourceMetadataUrl,
  isJSONRPCRequest,
  type MessageExtraInfo,
  OAuthError,
  OAuthErrorCode,
  parseJSONRPCMessage,
  type ScopeChallengeHandler,
  SUPPORTED_PROTOCOL_VERSIONS,
  type Transport,
} from '@modelcontextprotocol/server';
import { Handler } from '../handler/handler.ts';
import type { SessionHandlerOptions } from '../handler/options.ts';
import { resolveOptions } from '../handler/resolve-options.ts';
import type { SessionHandler as HandlerOf } from '../handler/session-handler.ts';
import { Shutdown } from '../handler/shutdown.ts';
import type { SdkAdapter, ServerLike } from '../session/sdk-adapter.ts';
import type { Bounds } from '../stream/bounds.ts';

export type { AuthInfo };

/**
 * A server of SDK v2: `McpServer`, or the `Server` beneath it. By structure: to TypeScript, the
 * class that a CommonJS project imports is a different one.
 */
export type V2Server = ServerLike;

/** What `createSessionHandler` returns. */
export type SessionHandler<Auth = AuthInfo> = HandlerOf<Auth>;

const sdk: SdkAdapter = {
  protocolVersions: SUPPORTED_PROTOCOL_VERSIONS,
  parseMessage: (value) => parseJSONRPCMessage(value),
  connect: (server, transport) => server.connect(transport satisfies Transport as never),
  messageExtra: ({ request, authInfo, closeStream, closeStandaloneStream }): MessageExtraInfo => ({
    ...(authInfo !== undefined && { authInfo: authInfo as AuthInfo }),
    request,
    ...(closeStream !== undefined && { closeSSEStream: closeStream }),
    ...(closeStandaloneStream !== undefined && { closeStandaloneSSEStream: closeStandaloneStream }),
  }),
  refuseScopes: async ({ scopeResolver }, messages, auth) => {
    const authInfo = auth as AuthInfo | undefined;
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

/** The URL of the metadata that says how to get a scope, as in the SDK's own HTTP transport. */
function metadataUrl(authInfo: AuthInfo | undefined): string | undefined {
  if (authInfo?.resourceMetadataUrl !== undefined) return authInfo.resourceMetadataUrl;
  const { resource } = authInfo ?? {};
  return resource !== undefined && /^https?:$/.test(resource.protocol)
    ? getOAuthProtectedResourceMetadataUrl(resource)
    : undefined;
}

/**
 * Makes a handler for servers of SDK v2 (`@modelcontextprotocol/server`) and clients of the
 * sessionful revisions, 2024-11-05 to 2025-11-25.
 *
 * @throws TypeError or RangeError for an option.
 */
export function createSessionHandler<
  S extends StateSchemas = StateSchemas,
  Server extends V2Server = V2Server,
  U extends StateSchemas = StateSchemas,
>(options: SessionHandlerOptions<Server, AuthInfo, S, U>): SessionHandler {
  return handlerWith(options, new Shutdown());
}

/** The same as part of a larger handler, which closes in the same phases and has its own bounds. */
export function handlerWith<S extends StateSchemas, Server extends V2Server, U extends StateSchemas>(
  options: SessionHandlerOptions<Server, AuthInfo, S, U>,
  shutdown: Shutdown,
  bounds?: Bounds,
): SessionHandler {
  return new Handler(sdk, { ...resolveOptions(options), ...(bounds !== undefined && { bounds }) }, shutdown);
}
