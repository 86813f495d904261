import type { Session, StateSchemas } from '@mcp-session/core';
import {
  callable,
  checkOptions,
  flag,
  kindOf,
  MAX_TIMER_MS,
  oneOf,
  optional,
  type OptionNames,
  positive,
  text,
  whole,
} from '@mcp-session/core/backend';
import { Gate } from '../request/gate.ts';
import { principalOf } from '../request/principal.ts';
import { checkUserOptions, userContext } from '../request/user.ts';
import { Journal } from '../reports/journal.ts';
import { errorListener, safeCallback } from '../runtime/safe-callback.ts';
import type { AuthFacts, Caller, ServerLike } from '../session/sdk-adapter.ts';
import type { ServerFactory } from '../session/server-lifecycle.ts';
import { checkStore } from '../store/check-store.ts';
import { StoreHealth } from '../store/health.ts';
import type { AnyStore } from '../store/session-handle.ts';
import { type BoundOptions, Bounds } from '../stream/bounds.ts';
import type { SessionHandlerOptions } from './options.ts';
import {
  type ResolvedSessionOptions,
  resolveSessionOptions,
  SESSION_NAMES,
  statelessOf,
} from './resolve-session-options.ts';

/** Options with their defaults applied, and the types of the application bound. */
export interface ResolvedOptions extends ResolvedSessionOptions {
  readonly store: AnyStore;
  readonly servers: ServerFactory;
  readonly principalOf: (caller: Caller) => Promise<string | null>;
  readonly generateSessionId: (() => string) | undefined;
  readonly revision: string | undefined;
  readonly maxLocalSessions: number;
  readonly localIdleMs: number;
  readonly retryIntervalMs: number;
  readonly restartRetryMs: number;
  readonly maxStreamMs: number;
  readonly standaloneStream: boolean;
  readonly holdMs: number;
  readonly keepAliveMs: number;
  readonly leaseMs: number;
  readonly abandonAfterMs: number | undefined;
  readonly setupTimeoutMs: number;
  readonly maxBodyBytes: number;
  /** Whether each client that can read JSON gets JSON. */
  readonly prefersJson: boolean;
  readonly gate: Gate;
  readonly bounds: Bounds;
  readonly health: StoreHealth;
  readonly onError: (error: unknown) => void;
  readonly journal: Journal;
}

/** The options of a session handler, with their names in other libraries. */
export const SESSION_HANDLER_NAMES: OptionNames<SessionHandlerOptions<never, never>> = {
  store: ['sessionStore', 'sessions', 'eventStore'],
  ...SESSION_NAMES,
  createServer: ['server', 'getServer', 'makeServer', 'factory', 'serverFactory'],
  principal: ['getPrincipal', 'userId', 'identify'],
  user: ['userState', 'userRecord', 'forPrincipal'],
  maxLocalSessions: ['maxSessions'],
  localIdleMs: ['idleMs', 'idleTimeout'],
  retryIntervalMs: ['retryInterval', 'retry', 'retryMs'],
  restartRetryMs: ['reconnectMs', 'reconnectDelayMs', 'reconnectIntervalMs'],
  maxStreamMs: ['streamMs', 'streamTimeoutMs', 'maxStreamDurationMs'],
  standaloneStream: ['getStream', 'listen', 'disableGet'],
  holdMs: ['maxHoldMs', 'getTimeoutMs'],
  keepAliveMs: ['keepAliveInterval', 'heartbeatMs', 'pingIntervalMs'],
  leaseMs: [],
  abandonAfterMs: ['abandonAfter', 'disconnectTimeout', 'cancelOnDisconnect'],
  setupTimeoutMs: ['startTimeoutMs', 'restoreTimeoutMs'],
  maxBodyBytes: ['maxRequestBodySize', 'bodyLimit', 'limit'],
  maxOpenRequests: ['maxConcurrency', 'maxConcurrentRequests', 'maxRequests'],
  maxOpenRequestsPerPrincipal: ['maxRequestsPerPrincipal', 'maxRequestsPerUser'],
  maxOpenRequestsPerProcess: ['maxOpenRequestsInProcess', 'maxOpenRequestsTotal'],
  maxOpenStreams: ['maxStreams', 'maxConnections'],
  maxOpenStreamsPerPrincipal: ['maxStreamsPerPrincipal', 'maxStreamsPerUser'],
  revision: ['version', 'serverVersion', 'build'],
  onRestore: ['onRestored'],
  onStoreError: [],
  onStoreStatus: [],
  allowedHosts: ['allowedHostnames', 'hosts'],
  allowedOrigins: ['allowedOriginHostnames', 'origins', 'origin', 'cors'],
  onError: ['onerror', 'errorHandler'],
  logger: ['log', 'loggerInstance', 'pino', 'console'],
  observe: ['observer', 'onEvent', 'telemetry', 'otel', 'metrics', 'tracer'],
};

/** @throws TypeError or RangeError that names the option. */
export function resolveOptions<
  Server extends ServerLike,
  AuthInfo extends AuthFacts,
  S extends StateSchemas,
  U extends StateSchemas,
>(options: SessionHandlerOptions<Server, AuthInfo, S, U>): ResolvedOptions {
  checkOptions(options, SESSION_HANDLER_NAMES);
  checkStore(options.store);
  if (typeof options.createServer !== 'function') {
    throw new TypeError(
      `Option createServer is ${kindOf(options.createServer)}, not a function that makes the server of a session`,
    );
  }
  for (const name of ['principal', 'generateSessionId', 'onRestore', 'onStoreStatus', 'onError', 'observe'] as const) {
    callable(name, options[name]);
  }
  checkUserOptions(options.store, options.user);
  const degrades = oneOf('onStoreError', options.onStoreError, ['fail', 'degrade'], 'fail') === 'degrade';
  const journal = new Journal(options);
  const onError = errorListener(options);
  const onStoreStatus = safeCallback('onStoreStatus', options.onStoreStatus);
  const health = new StoreHealth(
    degrades,
    (status) => {
      journal.storeStatus(status.failing);
      onStoreStatus(status);
    },
    onError,
  );
  const report = (error: unknown): void => {
    if (health.shouldReport(error)) onError(error);
  };
  return {
    store: options.store,
    servers: serversOf(options),
    principalOf: ({ request, authInfo }) => principalOf(authInfo as AuthInfo | undefined, request, options.principal),
    generateSessionId: options.generateSessionId,
    ...resolveSessionOptions(options, report),
    revision: text('revision', options.revision),
    maxLocalSessions: positive('maxLocalSessions', options.maxLocalSessions, 1_000),
    localIdleMs: positive('localIdleMs', options.localIdleMs, 300_000, MAX_TIMER_MS),
    retryIntervalMs: whole('retryIntervalMs', options.retryIntervalMs, 1_000, 0, MAX_TIMER_MS),
    restartRetryMs: whole('restartRetryMs', options.restartRetryMs, 7_000, 0, MAX_TIMER_MS),
    maxStreamMs: maxStreamMsOf(options.maxStreamMs),
    standaloneStream: flag('standaloneStream', options.standaloneStream, true),
    holdMs: whole('holdMs', options.holdMs, 10_000, 0, MAX_TIMER_MS),
    keepAliveMs: whole('keepAliveMs', options.keepAliveMs, 15_000, 0, MAX_TIMER_MS),
    leaseMs: positive('leaseMs', options.leaseMs, 15_000, MAX_TIMER_MS),
    abandonAfterMs: optional('abandonAfterMs', options.abandonAfterMs, MAX_TIMER_MS),
    setupTimeoutMs: positive('setupTimeoutMs', options.setupTimeoutMs, 30_000, MAX_TIMER_MS),
    maxBodyBytes: positive('maxBodyBytes', options.maxBodyBytes, 4_194_304),
    prefersJson: oneOf('responses', options.responses, ['auto', 'json'], 'auto') === 'json',
    bounds: boundsOf(options),
    gate: new Gate(options),
    health,
    onError: report,
    journal,
  };
}

function maxStreamMsOf(value: number | undefined): number {
  const forever = value === undefined || value === Number.POSITIVE_INFINITY;
  return forever ? Number.POSITIVE_INFINITY : positive('maxStreamMs', value, 1, MAX_TIMER_MS);
}

/** @throws TypeError or RangeError that names the option. */
export function boundsOf(options: Partial<BoundOptions>): Bounds {
  return new Bounds({
    maxOpenRequests: positive('maxOpenRequests', options.maxOpenRequests, 1_000),
    maxOpenRequestsPerPrincipal: positive('maxOpenRequestsPerPrincipal', options.maxOpenRequestsPerPrincipal, 1_000),
    maxOpenRequestsPerProcess: positive('maxOpenRequestsPerProcess', options.maxOpenRequestsPerProcess, 10_000),
    maxOpenStreams: positive('maxOpenStreams', options.maxOpenStreams, 10_000),
    maxOpenStreamsPerPrincipal: positive('maxOpenStreamsPerPrincipal', options.maxOpenStreamsPerPrincipal, 1_000),
  });
}

/** The server factories of the application, with its types bound. */
function serversOf<
  Server extends ServerLike,
  AuthInfo extends AuthFacts,
  S extends StateSchemas,
  U extends StateSchemas,
>(options: SessionHandlerOptions<Server, AuthInfo, S, U>): ServerFactory {
  return {
    create: async (session, restored, { request, authInfo }) =>
      options.createServer({
        session: session as Session<S>,
        restored,
        request,
        authInfo: authInfo as AuthInfo,
        ...userContext(options.store, session.principal, options.user),
      }),
    createStateless: statelessOf(options),
    restored: async (session, server) =>
      options.onRestore?.({ session: session as Session<S>, server: server as Server }),
  };
}
