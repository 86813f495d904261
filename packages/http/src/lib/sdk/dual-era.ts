import type { StateSchemas } from '@mcp-session/core';
import { callable, checkOptions, kindOf, type OptionNames, suggestion } from '@mcp-session/core/backend';
import {
  type AuthInfo,
  createMcpHandler,
  type CreateMcpHandlerOptions,
  isLegacyRequest,
  type McpHttpHandler,
} from '@modelcontextprotocol/server';
import type { SessionHandlerOptions } from '../handler/options.ts';
import { guarded } from '../handler/guarded.ts';
import { boundsOf, SESSION_HANDLER_NAMES } from '../handler/resolve-options.ts';
import type { FetchOptions } from '../handler/session-handler.ts';
import { Shutdown } from '../handler/shutdown.ts';
import { closing, HttpError } from '../protocol/http-errors.ts';
import { FIRST_STATELESS_REVISION } from '../protocol/revisions.ts';
import { decodeBody } from '../request/body.ts';
import { Gate } from '../request/gate.ts';
import { principalOf } from '../request/principal.ts';
import { Journal } from '../reports/journal.ts';
import { Exchanges } from './exchanges.ts';
import { isListen, ListenStreams } from './listen-streams.ts';
import { observing } from './observing.ts';
import { errorListener } from '../runtime/safe-callback.ts';
import { FaultReports } from './fault-reports.ts';
import { type StatelessContext, statelessFactory } from './stateless-factory.ts';
import { handlerWith, type SessionHandler, type V2Server } from './v2.ts';

/** Options of `createDualEraHandler`. */
export interface DualEraHandlerOptions<
  S extends StateSchemas = StateSchemas,
  Server extends V2Server = V2Server,
  U extends StateSchemas = StateSchemas,
> extends Omit<SessionHandlerOptions<Server, AuthInfo, S, U>, 'createStatelessServer'> {
  /**
   * Makes the server of one request of revision 2026-07-28, which has no sessions: the factory of
   * the SDK's `createMcpHandler`. Return a new instance each time. With
   * `withoutSession: 'stateless'`, also of one POST of an earlier revision without a session; the
   * context's `era` is `legacy` then.
   */
  readonly createStatelessServer: (context: StatelessContext<U>) => V2Server | Promise<V2Server>;
  /**
   * More options of the SDK's `createMcpHandler`, such as `bus`. With its `onerror`, errors of
   * revision 2026-07-28 go there and not to `onError` or `logger`. Default: its defaults.
   */
  readonly stateless?: Omit<CreateMcpHandlerOptions, 'legacy'>;
}

/** A handler for revisions with and without sessions. */
export interface DualEraHandler extends SessionHandler {
  /**
   * Notifies `subscriptions/listen` streams of revision 2026-07-28 of changes. `broadcast` notifies
   * sessions.
   */
  readonly notify: McpHttpHandler['notify'];
  /**
   * As for sessions. Also ends the principal's `subscriptions/listen` streams of revision
   * 2026-07-28, on all nodes that share `stateless.bus`, even if the store fails. A bus that fails
   * reports it itself.
   */
  readonly endAll: SessionHandler['endAll'];
}

const DUAL_NAMES: OptionNames<DualEraHandlerOptions> = {
  ...SESSION_HANDLER_NAMES,
  createStatelessServer: ['statelessServer', 'createModernServer'],
  stateless: ['statelessOptions', 'mcpHandler'],
};

/** The options of `createMcpHandler`, with other names for them. */
const STATELESS_NAMES: Readonly<Record<Exclude<keyof CreateMcpHandlerOptions, 'legacy'>, readonly string[]>> = {
  bus: ['eventBus', 'events'],
  keepAliveMs: [],
  maxRequestBodySize: ['maxBodyBytes'],
  maxSubscriptions: [],
  onerror: [],
  responseMode: ['responses'],
};

/** Default of `maxBodyBytes`. */
const MAX_BODY_BYTES = 4_194_304;

interface ModernContext {
  readonly exchanges: Exchanges;
  readonly journal: Journal;
  readonly onError: (error: unknown) => void;
}

/** The SDK's handler of revision 2026-07-28. */
type ModernHandler = Pick<McpHttpHandler, 'fetch' | 'notify' | 'bus' | 'close'>;

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
  const journal = new Journal(options);
  const onError = errorListener(options);
  const modern = modernOf(options, { exchanges, journal, onError });
  const listeners = new ListenStreams(modern.bus, bounds, options.principal);
  const answer = async (
    request: Request,
    { authInfo, parsedBody: given }: FetchOptions<AuthInfo>,
  ): Promise<Response> => {
    const parsedBody = request.method === 'POST' ? decodeBody(request, given, maxBodyBytes) : given;
    // The eras have opposite rules for a lost connection, so decide this first.
    if (await isLegacyRequest(request, parsedBody, { maxRequestBodySize: maxBodyBytes })) {
      return sessions.fetch(request, { authInfo, parsedBody });
    }
    if (!shutdown.serves(request)) throw closing();
    const details = { ...(authInfo !== undefined && { authInfo }), parsedBody };
    const ask = (): Promise<Response> => modern.fetch(request, details);
    const response = isListen(request)
      ? await listeners.serve({ request, authInfo }, ask)
      : await exchanges.serve(request, authInfo, ask);
    return gate.open(request, response);
  };
  return {
    get localSessions() {
      return sessions.localSessions;
    },
    notify: modern.notify,
    broadcast: sessions.broadcast,
    endAll: (whose) => listeners.endAfter(whose, () => sessions.endAll(whose)),
    close: async (how) => {
      await sessions.close(how);
      await modern.close();
    },
    fetch: guarded<AuthInfo>({ gate, journal, onError }, async (request, given) => {
      checkMethod(request);
      return shutdown.serves(request) && request.method === 'POST'
        ? shutdown.admit(request, () => answer(request, given))
        : answer(request, given);
    }),
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

/** The SDK's handler of revision 2026-07-28. With `onError`, the SDK reports to it. */
function modernOf<S extends StateSchemas, Server extends V2Server, U extends StateSchemas>(
  options: DualEraHandlerOptions<S, Server, U>,
  { exchanges, journal, onError }: ModernContext,
): ModernHandler {
  const faults = options.onError === undefined ? new FaultReports(onError) : undefined;
  const { fetch, notify, bus, close } = createMcpHandler(exchanges.of(observing(statelessFactory(options), journal)), {
    maxRequestBodySize: options.maxBodyBytes ?? MAX_BODY_BYTES,
    onerror: faults?.listener ?? onError,
    ...(options.responses === 'json' && { responseMode: 'json' }),
    ...options.stateless,
    legacy: 'reject',
  });
  return {
    notify,
    bus,
    close,
    fetch: async (...request) => (faults === undefined ? fetch(...request) : faults.answer(() => fetch(...request))),
  };
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

function checkStateless(createStatelessServer: unknown, stateless: CreateMcpHandlerOptions): void {
  if (typeof createStatelessServer !== 'function') {
    throw new TypeError(
      `Option createStatelessServer is ${kindOf(createStatelessServer)}, not a function that makes the server of one request of revision ${FIRST_STATELESS_REVISION}`,
    );
  }
  if (kindOf(stateless) !== 'an object') {
    throw new TypeError(`Option stateless is ${kindOf(stateless)}, not an object with options of createMcpHandler`);
  }
  if (stateless.legacy !== undefined) {
    throw new TypeError('Option legacy of stateless has no effect: createServer serves the revisions with sessions');
  }
  for (const name of Object.keys(stateless)) {
    // A newer SDK may have more options.
    const meant = Object.hasOwn(STATELESS_NAMES, name) ? undefined : suggestion(name, STATELESS_NAMES);
    if (meant !== undefined) throw new TypeError(`Unknown option ${name} of stateless; did you mean ${meant}?`);
  }
  callable('onerror', stateless.onerror);
  checkBus(stateless.bus);
}

function checkBus(bus: unknown): void {
  const { publish, subscribe } = (bus ?? {}) as { readonly publish?: unknown; readonly subscribe?: unknown };
  if (bus === undefined || (typeof publish === 'function' && typeof subscribe === 'function')) return;
  throw new TypeError(`Option bus of stateless is ${kindOf(bus)}, not an event bus, such as createStoreEventBus gives`);
}
