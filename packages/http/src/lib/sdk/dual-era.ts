import type { StateSchemas } from '@mcp-session/core';
import { checkOptions, kindOf, type OptionNames } from '@mcp-session/core/backend';
import {
  type AuthInfo,
  createMcpHandler,
  type CreateMcpHandlerOptions,
  isLegacyRequest,
  type McpHttpHandler,
  type McpServerFactory,
} from '@modelcontextprotocol/server';
import { StoreEventBus } from '../cluster/event-bus.ts';
import { fetchOptionsOf } from '../handler/call-options.ts';
import { SESSION_HANDLER_NAMES, type SessionHandlerOptions } from '../handler/options.ts';
import { errorToResponse, HttpError, isOurs } from '../protocol/http-errors.ts';
import { FIRST_STATELESS_REVISION } from '../protocol/revisions.ts';
import { Gate } from '../request/gate.ts';
import { errorListener } from '../runtime/safe-callback.ts';
import { createSessionHandler, type SessionHandler, type V2Server } from './v2.ts';

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
