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
import { boundsOf, SESSION_HANDLER_NAMES } from '../handler/resolve-options.ts';
import { type FetchOptions, fetchOptionsOf } from '../handler/session-handler.ts';
import { Shutdown } from '../handler/shutdown.ts';
import { closing, errorToResponse, HttpError, isServerFault } from '../protocol/http-errors.ts';
import { FIRST_STATELESS_REVISION } from '../protocol/revisions.ts';
import { Gate } from '../request/gate.ts';
import { principalOf } from '../request/principal.ts';
import { type UserContext, userContext } from '../request/user.ts';
import { Journal } from '../reports/journal.ts';
import { Exchanges } from './exchanges.ts';
import { observing } from './observing.ts';
import { errorListener } from '../runtime/safe-callback.ts';
import { handlerWith, type SessionHandler, type V2Server } from './v2.ts';

/**
 * What `createStatelessServer` gets: the context of the SDK's factory, and who is served.
 *
 * `principal` and `user` throw if an authenticated request has no principal, or if the option
 * `principal` has failed. A server that uses neither serves such a request.
 */
export type StatelessContext<U extends StateSchemas = StateSchemas> = Parameters<McpServerFactory>[0] & UserContext<U>;

/** Options of `createDualEraHandler`. */
export interface DualEraHandlerOptions<
  S extends StateSchemas = StateSchemas,
  Server extends V2Server = V2Server,
  U extends StateSchemas = StateSchemas,
> extends Omit<SessionHandlerOptions<Server, AuthInfo, S, U>, 'createStatelessServer'> {
  /**
   * Makes the server of one request of revision 2026-07-28, which has no sessions: the factory of
   * the SDK's `createMcpHandler`. With `withoutSession: 'stateless'`, also of one POST of an
   * earlier revision without a session; the context's `era` is `legacy` then.
   */
  readonly createStatelessServer: (context: StatelessContext<U>) => V2Server | Promise<V2Server>;
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

/** Default of `maxBodyBytes`. */
const MAX_BODY_BYTES = 4_194_304;

interface ModernContext {
  readonly exchanges: Exchanges;
  readonly journal: Journal;
  readonly onError: (error: unknown) => void;
}

/**
 * Makes one handler for clients of both eras of the protocol. Clients of a revision with sessions
 * get a session. Clients of 2026-07-28 are served by the SDK's `createMcpHandler`; only the state
 * of `user` uses the store for them.
 *
 * @throws TypeError or RangeError for an option.
 */
export function createDualEraHandler<
  S extends StateSchemas = StateSchemas,
  Server extends V2Server = V2Server,
  U extends StateSchemas = StateSchemas,
>(options: DualEraHandlerOptions<S, Server, U>): DualEraHandler {
  checkOptions(options, DUAL_NAMES);
  const { createStatelessServer, stateless = {}, ...ofSessions } = options;
  checkStateless(createStatelessServer, stateless);
  const shutdown = new Shutdown();
  const bounds = boundsOf(options);
  const sessions = handlerWith({ ...ofSessions, ...legacyOf(options) }, shutdown, bounds);
  const exchanges = new Exchanges(bounds, (request, authInfo) => principalOf(authInfo, request, options.principal));
  shutdown.waitFor(() => exchanges.answered());
  const gate = new Gate(options);
  const { maxBodyBytes = MAX_BODY_BYTES } = options;
  const { bus } = stateless;
  const journal = new Journal(options);
  const onError = errorListener(options);
  const modern = modernOf(options, { exchanges, journal, onError });
  const answer = async (request: Request, { authInfo, parsedBody }: FetchOptions<AuthInfo>): Promise<Response> => {
    // The eras have opposite rules for a lost connection, so decide this first.
    if (await isLegacyRequest(request, parsedBody, { maxRequestBodySize: maxBodyBytes })) {
      return sessions.fetch(request, { authInfo, parsedBody });
    }
    if (!shutdown.serves(request)) throw closing();
    const given = { ...(authInfo !== undefined && { authInfo }), parsedBody };
    const response = await exchanges.serve(request, authInfo, () => modern.fetch(request, given));
    // To a client, the beginning of its stream promises every change from then on.
    if (bus instanceof StoreEventBus && isStream(response)) await bus.ready();
    return gate.open(request, response);
  };
  return {
    get localSessions() {
      return sessions.localSessions;
    },
    notify: modern.notify,
    broadcast: sessions.broadcast,
    endAll: sessions.endAll,
    close: async (how) => {
      await sessions.close(how);
      await modern.close();
    },
    fetch: async (request, fetchOptions = {}) => {
      try {
        const given = fetchOptionsOf(fetchOptions);
        gate.check(request, given.authInfo !== undefined);
        checkMethod(request);
        return shutdown.serves(request) && request.method === 'POST'
          ? await shutdown.admit(request, () => answer(request, given))
          : await answer(request, given);
      } catch (error) {
        if (isServerFault(error)) onError(error);
        journal.refused(request, error);
        return gate.open(request, errorToResponse(error));
      }
    },
  };
}

/**
 * @throws HttpError 405 if a revision without streams and sessions gets a request that needs one.
 */
function checkMethod({ method, headers }: Request): void {
  if (method === 'POST' || (headers.get('mcp-protocol-version') ?? '') < FIRST_STATELESS_REVISION) return;
  throw new HttpError(
    405,
    `Method not allowed. Revision ${FIRST_STATELESS_REVISION} has no streams and no sessions`,
    undefined,
    { allow: 'POST' },
  );
}

/** The SDK's handler of revision 2026-07-28. */
function modernOf<S extends StateSchemas, Server extends V2Server, U extends StateSchemas>(
  options: DualEraHandlerOptions<S, Server, U>,
  { exchanges, journal, onError }: ModernContext,
): McpHttpHandler {
  const factory = reporting(withUser(options), options.onError === undefined ? onError : undefined);
  return createMcpHandler(exchanges.of(observing(factory, journal)), {
    maxRequestBodySize: options.maxBodyBytes ?? MAX_BODY_BYTES,
    ...(options.onError !== undefined && { onerror: onError }),
    ...(options.responses === 'json' && { responseMode: 'json' }),
    ...options.stateless,
    legacy: 'reject',
  });
}

/** The same factory for POSTs of the revisions with sessions that have none. */
function legacyOf<S extends StateSchemas, Server extends V2Server, U extends StateSchemas>({
  withoutSession,
  createStatelessServer,
}: DualEraHandlerOptions<S, Server, U>): Pick<SessionHandlerOptions<Server, AuthInfo, S, U>, 'createStatelessServer'> {
  if (withoutSession !== 'stateless') return {};
  return {
    createStatelessServer: async ({ request, authInfo, principal, user }) =>
      createStatelessServer({
        era: 'legacy',
        requestInfo: request,
        ...(authInfo !== undefined && { authInfo }),
        principal,
        user,
      }),
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

/** Adds to the context of a factory who is served. Nothing is thrown unless the factory asks. */
function withUser<S extends StateSchemas, Server extends V2Server, U extends StateSchemas>({
  createStatelessServer,
  store,
  principal: tell,
  user: userOptions,
}: DualEraHandlerOptions<S, Server, U>): McpServerFactory {
  return async (context) => {
    const { authInfo, requestInfo = new Request('http://localhost/') } = context;
    const [told] = await Promise.allSettled([principalOf(authInfo, requestInfo, tell)]);
    let known: UserContext<U> | undefined;
    const served = (): UserContext<U> => {
      if (told.status === 'rejected') throw told.reason;
      known ??= userContext(store, told.value, userOptions);
      return known;
    };
    const server = await createStatelessServer({
      ...context,
      get principal() {
        return served().principal;
      },
      get user() {
        return served().user;
      },
    });
    return server as Awaited<ReturnType<McpServerFactory>>;
  };
}

/**
 * Reports the errors of a factory to the log unless the SDK reports them to `onError`. The SDK also
 * reports clients' mistakes, which do not belong in the log.
 *
 * @param report `undefined`: the SDK reports them.
 */
function reporting(create: McpServerFactory, report: ((error: unknown) => void) | undefined): McpServerFactory {
  if (report === undefined) return create;
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
