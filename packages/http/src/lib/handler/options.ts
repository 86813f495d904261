import type { Session, SessionStore, StateSchemas } from '@mcp-session/core';
import { callable, checkOptions, kindOf, oneOf, positive, whole, type OptionNames } from '@mcp-session/core/backend';
import { errorListener, safeCallback } from '../runtime/safe-callback.ts';
import { Gate } from '../request/gate.ts';
import { principalOf, type PrincipalOf } from '../request/principal.ts';
import type { AuthFacts, Caller, ServerLike } from '../session/sdk-adapter.ts';
import type { ServerFactory } from '../session/server-lifecycle.ts';
import type { AnyStore } from '../store/session-handle.ts';
import { StoreHealth, type StoreStatus } from '../store/health.ts';
import { Bounds } from '../stream/bounds.ts';
import { checkStore } from '../store/check-store.ts';
import { MAX_TIMER_MS } from '../runtime/timers.ts';

/** What a server is made for. */
export interface ServerContext<S, AuthInfo> {
  /** The durable session: its state and log are there on every node and after every restart. */
  readonly session: Session<S>;
  /**
   * Whether the session was begun earlier, by another instance, and is carried on by this one. Such a server is told again that its client is initialized: what is done
   * once in a session, `oninitialized` must do only where this is `false`. See "What a restored server says" in the README.
   */
  readonly restored: boolean;
  /** The request that made it necessary. Later requests of the session can carry another token. */
  readonly request: Request;
  /** The verified token of that request; `undefined`: it had none. */
  readonly authInfo: AuthInfo | undefined;
}

/** Options of `createSessionHandler`. */
export interface SessionHandlerOptions<
  Server extends ServerLike,
  AuthInfo extends AuthFacts,
  S extends StateSchemas = StateSchemas,
> {
  /** Where the sessions live. The handler leaves it open when it is closed. */
  readonly store: SessionStore<S>;
  /**
   * Makes the MCP server of one session: a new instance each time. It is called when a session begins, and again wherever and whenever one is restored, so
   * what must outlive the process belongs in `session.state`.
   */
  readonly createServer: (context: ServerContext<S, AuthInfo>) => Server | Promise<Server>;
  /**
   * Tells whose a request is, from its verified token or from the request itself. A session belongs to the principal that began it, and
   * nobody else finds it. `null` or `undefined`: nobody's, which an authenticated request must not be: it is refused with 500. So is what is no text of
   * 1 to 1,024 bytes: give a number as `String(id)`.
   *
   * Default: issuer and subject, from `iss` and `sub` (or `issuer` and `subject`) in `authInfo.extra`.
   */
  readonly principal?: PrincipalOf<AuthInfo>;
  /**
   * How many sessions this process holds at once. Beyond it the ones used longest ago are let go and restored by their next request; those at work stay.
   *
   * Default: `1_000`.
   */
  readonly maxLocalSessions?: number;
  /**
   * After how long without work a session is let go, in milliseconds.
   *
   * Default: 5 minutes (`300_000`).
   */
  readonly localIdleMs?: number;
  /**
   * When clients are asked to come back after the server has closed their connection, in milliseconds.
   *
   * Default: `1_000`.
   */
  readonly retryIntervalMs?: number;
  /**
   * How often a comment is sent on a connection with nothing else to send, in milliseconds, so that no proxy takes it for dead; `0`: never. It renews the
   * session too: one whose client listens does not expire.
   *
   * Default: 15 seconds (`15_000`).
   */
  readonly keepAliveMs?: number;
  /**
   * How long a node is taken to live after its last sign of life, in milliseconds. A request whose node died is answered with an error when its client comes
   * back for the answer and so much time has passed.
   *
   * Default: 15 seconds (`15_000`).
   */
  readonly leaseMs?: number;
  /**
   * How long it may take to make a server and have it initialized, or to restore one and tell it what its client has said, in milliseconds; `createServer` and
   * `onRestore` are part of it. A request that waits longer gets 503, and what was made is let go.
   *
   * Default: 30 seconds (`30_000`).
   */
  readonly setupTimeoutMs?: number;
  /** Largest body of a request, in bytes. Default: 4 MiB (`4_194_304`). A body that a framework has parsed is not measured. */
  readonly maxBodyBytes?: number;
  /**
   * How many requests of one session this process answers at the same time; one more is refused with 429. They go on when their client has gone, and count until
   * they are answered.
   *
   * Default: `1_000`.
   */
  readonly maxOpenRequests?: number;
  /**
   * How many streams this process keeps open: of clients that listen and of calls that take long. Where it has so many, a GET is refused with 503.
   *
   * Default: `10_000`.
   */
  readonly maxOpenStreams?: number;
  /**
   * The same of one principal, where a GET is refused with 429. Sessions of nobody are not counted together.
   *
   * Default: `1_000`.
   */
  readonly maxOpenStreamsPerPrincipal?: number;
  /** Makes session ids: visible ASCII, from a secure generator. Default: UUID v7 with 74 random bits. */
  readonly generateSessionId?: () => string;
  /** Is awaited after a session was restored and before its request is handled. What it throws fails the request. */
  readonly onRestore?: (restored: { readonly session: Session<S>; readonly server: Server }) => void | Promise<void>;
  /**
   * What happens while the store fails. `fail`: requests get 503 with `Retry-After`, and one whose answer cannot be stored gets a JSON-RPC error. `degrade`: the
   * sessions that this process holds go on for their principals, and what cannot be stored is sent without an event id, so that it cannot be resumed; the
   * others, new ones, GET and DELETE get 503.
   *
   * Default: `fail`.
   */
  readonly onStoreError?: 'fail' | 'degrade';
  /**
   * Is told when requests find that the store fails, and when they find that it works again: once for each change. What it throws becomes a process warning.
   *
   * Default: nobody is told.
   */
  readonly onStoreStatus?: (status: StoreStatus) => void;
  /**
   * Values of `Host` that are let in: `mcp.example.com` with any port, `localhost:3000` with this one alone, `*` for any host.
   *
   * Default: any, but only names of this machine (`localhost`, `127.0.0.1`, `[::1]`) for a request whose connection is known to come from this machine: a page could
   * have let a name of its own point here. `toNodeHandler` knows. List the name that clients use where a proxy on the same machine passes it on.
   */
  readonly allowedHosts?: readonly string[];
  /**
   * Origins of the pages that are let in, as browsers write them: `https://app.example.com`; `*` for any page, with whatever the browser's user may do. Pages of these
   * origins may also read the answers: preflights are answered, and the headers of CORS are sent. A request without `Origin` passes, unless its browser says that another
   * site caused it (`Sec-Fetch-Site`). `[]`: no page.
   *
   * Default: the pages of the host itself: an `Origin` must be that of `Host`.
   */
  readonly allowedOrigins?: readonly string[];
  /**
   * Is told of what went wrong on our side. What it throws becomes a process warning. With `degrade`, of a store that fails it is told once, until it works again.
   *
   * Default: `console.error`, with the code and the scope of a `SessionError` first.
   */
  readonly onError?: (error: unknown) => void;
}

/** Options with their defaults applied, and the types of the application bound. */
export interface ResolvedOptions {
  readonly store: AnyStore;
  readonly servers: ServerFactory;
  readonly principalOf: (caller: Caller) => Promise<string | null>;
  readonly generateSessionId: (() => string) | undefined;
  readonly maxLocalSessions: number;
  readonly localIdleMs: number;
  readonly retryIntervalMs: number;
  readonly keepAliveMs: number;
  readonly leaseMs: number;
  readonly setupTimeoutMs: number;
  readonly maxBodyBytes: number;
  readonly gate: Gate;
  readonly bounds: Bounds;
  readonly health: StoreHealth;
  readonly onError: (error: unknown) => void;
}

/** The options of a session handler, and what they are called elsewhere. */
export const SESSION_HANDLER_NAMES: OptionNames<SessionHandlerOptions<never, never>> = {
  store: ['sessionStore', 'sessions', 'eventStore'],
  createServer: ['server', 'getServer', 'makeServer', 'factory', 'serverFactory'],
  principal: ['getPrincipal', 'user', 'userId', 'identify'],
  maxLocalSessions: ['maxSessions'],
  localIdleMs: ['idleMs', 'idleTimeout'],
  retryIntervalMs: ['retryInterval', 'retry', 'retryMs'],
  keepAliveMs: ['keepAliveInterval', 'heartbeatMs', 'pingIntervalMs'],
  leaseMs: [],
  setupTimeoutMs: ['startTimeoutMs', 'restoreTimeoutMs'],
  maxBodyBytes: ['maxRequestBodySize', 'bodyLimit', 'limit'],
  maxOpenRequests: ['maxConcurrency', 'maxConcurrentRequests', 'maxRequests'],
  maxOpenStreams: ['maxStreams', 'maxConnections'],
  maxOpenStreamsPerPrincipal: ['maxStreamsPerPrincipal', 'maxStreamsPerUser'],
  generateSessionId: ['sessionIdGenerator', 'generateId', 'genid'],
  onRestore: ['onRestored'],
  onStoreError: [],
  onStoreStatus: [],
  allowedHosts: ['allowedHostnames', 'hosts'],
  allowedOrigins: ['allowedOriginHostnames', 'origins', 'origin', 'cors'],
  onError: ['onerror', 'errorHandler', 'logger'],
};

/** @throws TypeError or RangeError that names the option. */
export function resolveOptions<Server extends ServerLike, AuthInfo extends AuthFacts, S extends StateSchemas>(
  options: SessionHandlerOptions<Server, AuthInfo, S>,
): ResolvedOptions {
  checkOptions(options, SESSION_HANDLER_NAMES);
  checkStore(options.store);
  if (typeof options.createServer !== 'function')
    throw new TypeError(
      `Option createServer is ${kindOf(options.createServer)}, not a function that makes the server of a session`,
    );
  for (const name of ['principal', 'generateSessionId', 'onRestore', 'onStoreStatus', 'onError'] as const)
    callable(name, options[name]);
  const degrades = oneOf('onStoreError', options.onStoreError, ['fail', 'degrade'], 'fail') === 'degrade';
  const onError = errorListener(options.onError);
  const health = new StoreHealth(degrades, safeCallback('onStoreStatus', options.onStoreStatus), onError);
  return {
    store: options.store,
    servers: {
      create: async (session, restored, { request, authInfo }) =>
        options.createServer({ session: session as Session<S>, restored, request, authInfo: authInfo as AuthInfo }),
      restored: async (session, server) =>
        options.onRestore?.({ session: session as Session<S>, server: server as Server }),
    },
    principalOf: ({ request, authInfo }) => principalOf(authInfo as AuthInfo | undefined, request, options.principal),
    generateSessionId: options.generateSessionId,
    maxLocalSessions: positive('maxLocalSessions', options.maxLocalSessions, 1_000),
    localIdleMs: positive('localIdleMs', options.localIdleMs, 300_000, MAX_TIMER_MS),
    retryIntervalMs: whole('retryIntervalMs', options.retryIntervalMs, 1_000, 0, MAX_TIMER_MS),
    keepAliveMs: whole('keepAliveMs', options.keepAliveMs, 15_000, 0, MAX_TIMER_MS),
    leaseMs: positive('leaseMs', options.leaseMs, 15_000, MAX_TIMER_MS),
    setupTimeoutMs: positive('setupTimeoutMs', options.setupTimeoutMs, 30_000, MAX_TIMER_MS),
    maxBodyBytes: positive('maxBodyBytes', options.maxBodyBytes, 4_194_304),
    bounds: new Bounds({
      maxOpenRequests: positive('maxOpenRequests', options.maxOpenRequests, 1_000),
      maxOpenStreams: positive('maxOpenStreams', options.maxOpenStreams, 10_000),
      maxOpenStreamsPerPrincipal: positive('maxOpenStreamsPerPrincipal', options.maxOpenStreamsPerPrincipal, 1_000),
    }),
    gate: new Gate(options),
    health,
    onError: (error) => {
      if (health.shouldReport(error)) onError(error);
    },
  };
}
