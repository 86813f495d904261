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
import type { SessionHandlerOptions } from '../handler/options.ts';
import { SESSION_HANDLER_NAMES } from '../handler/resolve-options.ts';
import { fetchOptionsOf } from '../handler/session-handler.ts';
import { errorToResponse, HttpError, isServerFault } from '../protocol/http-errors.ts';
import { FIRST_STATELESS_REVISION } from '../protocol/revisions.ts';
import { Gate } from '../request/gate.ts';
import { errorListener } from '../runtime/safe-callback.ts';
import { createSessionHandler, type SessionHandler, type V2Server } from './v2.ts';

/** Options of `createDualEraHandler`. */
export interface DualEraHandlerOptions<
  S extends StateSchemas = StateSchemas,
  Server extends V2Server = V2Server,
> extends SessionHandlerOptions<Server, AuthInfo, S> {
  /**
   * Makes the server of one request of revision 2026-07-28, which has no sessions: the factory of
   * the SDK's `createMcpHandler`.
   */
  readonly createStatelessServer: (context: Parameters<McpServerFactory>[0]) => V2Server | Promise<V2Server>;
  /** More options of the SDK's `createMcpHandler`, such as `bus`. Default: its defaults. */
  readonly stateless?: Omit<CreateMcpHandlerOptions, 'legacy'>;
}

/** A handler for revisions with and without sessions. */
export interface DualEraHandler extends SessionHandler {
  /**
   * Notifies `subscriptions/listen` streams of revision 2026-07-28 of changes. `broadcast` notifies
   * sessions.
   */
  readonly notify: McpHttpHandler['notify'];
}

const DUAL_NAMES: OptionNames<DualEraHandlerOptions> = {
  ...SESSION_HANDLER_NAMES,
  createStatelessServer: ['statelessServer', 'createModernServer'],
  stateless: ['statelessOptions', 'mcpHandler'],
};

/**
 * Makes one handler for clients of both eras of the protocol. Clients of a revision with sessions
 * get a session. Clients of 2026-07-28 are served by the SDK's `createMcpHandler`, without any use
 * of the store.
 *
 * @throws TypeError or RangeError for an option.
 */
export function createDualEraHandler<S extends StateSchemas = StateSchemas, Server extends V2Server = V2Server>(
  options: DualEraHandlerOptions<S, Server>,
): DualEraHandler {
  checkOptions(options, DUAL_NAMES);
  const { createStatelessServer, stateless = {}, ...ofSessions } = options;
  checkStateless(createStatelessServer, stateless);
  const sessions = createSessionHandler(ofSessions);
  const gate = new Gate(options);
  const { maxBodyBytes: maxRequestBodySize = 4_194_304 } = options;
  const { bus } = stateless;
  const onError = errorListener(options.onError);
  const modern = createMcpHandler(reporting(createStatelessServer, options.onError), {
    maxRequestBodySize,
    ...(options.onError !== undefined && { onerror: onError }),
    ...(options.responses === 'json' && { responseMode: 'json' }),
    ...stateless,
    legacy: 'reject',
  });
  return {
    get localSessions() {
      return sessions.localSessions;
    },
    notify: modern.notify,
    broadcast: sessions.broadcast,
    endAll: sessions.endAll,
    close: async (how) => {
      await Promise.all([sessions.close(how), modern.close()]);
    },
    fetch: async (request, fetchOptions = {}) => {
      try {
        const { authInfo, parsedBody } = fetchOptionsOf(fetchOptions);
        gate.check(request);
        const revision = request.headers.get('mcp-protocol-version') ?? '';
        if (request.method !== 'POST' && revision >= FIRST_STATELESS_REVISION) {
          throw new HttpError(
            405,
            `Method not allowed. Revision ${FIRST_STATELESS_REVISION} has no streams and no sessions`,
            undefined,
            { allow: 'POST' },
          );
        }
        // The eras have opposite rules for a lost connection, so decide this first.
        if (await isLegacyRequest(request, parsedBody, { maxRequestBodySize })) {
          return await sessions.fetch(request, { authInfo, parsedBody });
        }
        const response = await modern.fetch(request, { ...(authInfo !== undefined && { authInfo }), parsedBody });
        // To a client, the beginning of its stream promises every change from then on.
        if (bus instanceof StoreEventBus && isStream(response)) await bus.ready();
        return gate.open(request, response);
      } catch (error) {
        if (isServerFault(error)) onError(error);
        return gate.open(request, errorToResponse(error));
      }
    },
  };
}

function checkStateless(createStatelessServer: unknown, stateless: unknown): void {
  if (typeof createStatelessServer !== 'function') {
    throw new TypeError(
      `Option createStatelessServer is ${kindOf(createStatelessServer)}, not a function that makes the server of one request of revision ${FIRST_STATELESS_REVISION}`,
    );
  }
  if (kindOf(stateless) !== 'an object') {
    throw new TypeError(`Option stateless is ${kindOf(stateless)}, not an object with options of createMcpHandler`);
  }
}

/**
 * Reports the errors of a factory to the console unless the SDK reports them to `onError`. The SDK
 * also reports clients' mistakes, which do not belong on the console.
 */
function reporting(
  createServer: DualEraHandlerOptions['createStatelessServer'],
  onError: DualEraHandlerOptions['onError'],
): McpServerFactory {
  const create = createServer as McpServerFactory;
  if (onError !== undefined) return create;
  const report = errorListener(undefined);
  return async (context) => {
    try {
      return await create(context);
    } catch (error) {
      report(error);
      throw error;
    }
  };
}

function isStream({ headers }: Response): boolean {
  return headers.get('content-type')?.startsWith('text/event-stream') === true;
}
