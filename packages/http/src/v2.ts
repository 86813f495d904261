import {
  type AuthInfo,
  bearerAuthChallengeResponse,
  createMcpHandler,
  type CreateMcpHandlerOptions,
  getOAuthProtectedResourceMetadataUrl,
  isJSONRPCRequest,
  isLegacyRequest,
  type McpHttpHandler,
  type McpServerFactory,
  type MessageExtraInfo,
  OAuthError,
  OAuthErrorCode,
  parseJSONRPCMessage,
  type ScopeChallengeHandler,
  type ServerEvent,
  type ServerEventBus,
  SUPPORTED_PROTOCOL_VERSIONS,
  type Transport,
} from '@modelcontextprotocol/server';
import type { SessionStore, StateSchemas } from '@mcp-session/core';
import { checkOptions, kindOf, type OptionNames } from '@mcp-session/core/backend';
import { errorListener } from './lib/callbacks.ts';
import { StoreEventBus, type StoreEventBusOptions } from './lib/event-bus.ts';
import { Handler, type SessionHandler as HandlerOf } from './lib/handler.ts';
import { errorToResponse, HttpError, isOurs } from './lib/http-errors.ts';
import { Gate } from './lib/gate.ts';
import { fetchOptionsOf } from './lib/option-checks.ts';
import { SESSION_HANDLER_NAMES, type SessionHandlerOptions } from './lib/options.ts';
import type { Sdk, ServerLike } from './lib/sdk.ts';

export type { BroadcastNotification, BroadcastOptions } from './lib/broadcast.ts';
export type { CloseOptions, FetchOptions } from './lib/handler.ts';
export type { StoreEventBusOptions } from './lib/event-bus.ts';
export type { ServerContext, SessionHandlerOptions } from './lib/options.ts';
export type { StoreStatus } from './lib/store-health.ts';
export type { AuthInfo };

/** A server of SDK v2: `McpServer`, or the `Server` beneath it. By its form: the class that a CommonJS project imports is another one to TypeScript. */
export type V2Server = ServerLike;

/** What `createSessionHandler` gives. */
export type SessionHandler<Auth = AuthInfo> = HandlerOf<Auth>;

const sdk: Sdk<V2Server, AuthInfo> = {
  protocolVersions: SUPPORTED_PROTOCOL_VERSIONS,
  parseMessage: (value) => parseJSONRPCMessage(value),
  connect: (server, transport) => server.connect(transport satisfies Transport as never),
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
export function createSessionHandler<S extends StateSchemas = StateSchemas, Server extends V2Server = V2Server>(
  options: SessionHandlerOptions<Server, AuthInfo, S>,
): SessionHandler {
  return new Handler<Server, AuthInfo, S>(sdk, options);
}

const FIRST_STATELESS_REVISION = '2026-07-28';

/** Options of `createDualEraHandler`. */
export interface DualEraHandlerOptions<
  S extends StateSchemas = StateSchemas,
  Server extends V2Server = V2Server,
> extends SessionHandlerOptions<Server, AuthInfo, S> {
  /** Makes the server of one request of revision 2026-07-28, which has no session: the factory of the SDK's `createMcpHandler`. */
  readonly createStatelessServer: (context: Parameters<McpServerFactory>[0]) => V2Server | Promise<V2Server>;
  /** Further options of the SDK's `createMcpHandler`, such as `bus`. Default: its own. */
  readonly stateless?: Omit<CreateMcpHandlerOptions, 'legacy'>;
}

/** A handler of both eras. */
export interface DualEraHandler extends SessionHandler {
  /** Tells `subscriptions/listen` streams of revision 2026-07-28 of changes. Sessions are told by `broadcast`. */
  readonly notify: McpHttpHandler['notify'];
}

const DUAL_NAMES: OptionNames<DualEraHandlerOptions> = {
  ...SESSION_HANDLER_NAMES,
  createStatelessServer: ['statelessServer', 'createModernServer'],
  stateless: ['statelessOptions', 'mcpHandler'],
};

/**
 * Makes one handler for clients of both eras of the protocol: those of the revisions with sessions get one, and those of 2026-07-28 are served by the SDK's
 * `createMcpHandler`, for which nothing is read from the store or written to it.
 *
 * @throws TypeError or RangeError for an option.
 */
export function createDualEraHandler<S extends StateSchemas = StateSchemas, Server extends V2Server = V2Server>(
  options: DualEraHandlerOptions<S, Server>,
): DualEraHandler {
  checkOptions(options, DUAL_NAMES);
  const { createStatelessServer, stateless = {}, ...ofSessions } = options;
  if (typeof createStatelessServer !== 'function')
    throw new TypeError(
      `Option createStatelessServer is ${kindOf(createStatelessServer)}, not a function that makes the server of one request of revision ${FIRST_STATELESS_REVISION}`,
    );
  if (kindOf(stateless) !== 'an object')
    throw new TypeError(`Option stateless is ${kindOf(stateless)}, not an object with options of createMcpHandler`);
  const sessions = createSessionHandler(ofSessions);
  const gate = new Gate(options);
  const { maxBodyBytes: maxRequestBodySize = 4_194_304 } = options;
  const { bus } = stateless;
  const onError = errorListener(options.onError);
  // The SDK tells of clients' mistakes as well, which are nothing for the console.
  const makeServer = createStatelessServer as McpServerFactory;
  const reporting: McpServerFactory = async (context) => {
    try {
      return await makeServer(context);
    } catch (error) {
      onError(error);
      throw error;
    }
  };
  const modern = createMcpHandler(options.onError === undefined ? reporting : makeServer, {
    maxRequestBodySize,
    ...(options.onError !== undefined && { onerror: onError }),
    ...stateless,
    legacy: 'reject',
  });
  return {
    get localSessions() {
      return sessions.localSessions;
    },
    notify: modern.notify,
    broadcast: sessions.broadcast,
    close: async (how) => {
      await Promise.all([sessions.close(how), modern.close()]);
    },
    fetch: async (request, fetchOptions = {}) => {
      try {
        const { authInfo, parsedBody } = fetchOptionsOf(fetchOptions);
        gate.check(request);
        const revision = request.headers.get('mcp-protocol-version') ?? '';
        if (request.method !== 'POST' && revision >= FIRST_STATELESS_REVISION)
          throw new HttpError(
            405,
            `Method not allowed. Revision ${FIRST_STATELESS_REVISION} has no streams and no sessions`,
            undefined,
            { allow: 'POST' },
          );
        // The eras have opposite rules for a lost connection, so this comes before anything else.
        if (await isLegacyRequest(request, parsedBody, { maxRequestBodySize }))
          return await sessions.fetch(request, { authInfo, parsedBody });
        const response = await modern.fetch(request, { ...(authInfo !== undefined && { authInfo }), parsedBody });
        // A client that listens takes the beginning of its stream for a promise that it hears of every change from then on.
        if (bus instanceof StoreEventBus && isStream(response)) await bus.hearing();
        return gate.open(request, response);
      } catch (error) {
        if (isOurs(error)) onError(error);
        return gate.open(request, errorToResponse(error));
      }
    },
  };
}

function isStream({ headers }: Response): boolean {
  return headers.get('content-type')?.startsWith('text/event-stream') === true;
}

/**
 * Makes an event bus for the SDK's `createMcpHandler` over a store, so that `subscriptions/listen` on one node hears what another publishes. Nothing is
 * replayed: whoever listens hears what is published from then on. While the store fails nothing is heard, and afterwards what was published meanwhile.
 *
 * `createDualEraHandler` lets a listener wait until its bus hears the other nodes. With the SDK's `createMcpHandler` alone, what others publish in the first
 * moments of a node's first listener can be missed.
 */
export function createStoreEventBus<S extends StateSchemas = StateSchemas>(
  store: SessionStore<S>,
  options: StoreEventBusOptions = {},
): ServerEventBus & { settled(): Promise<void> } {
  return new StoreEventBus<ServerEvent, S>(store, options);
}
