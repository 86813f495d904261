import type { StateSchemas } from '@mcp-session/core';
import { callable, kindOf, oneOf, optional, type OptionNames, positive } from '@mcp-session/core/backend';
import { givenTtlOf } from '@mcp-session/core/transport';
import { PlatformSessions } from '../store/platform-sessions.ts';
import type { OnSessionCreate } from '../request/session-create.ts';
import { SessionLimits } from '../request/session-limits.ts';
import { userContext } from '../request/user.ts';
import type { AuthFacts, ServerLike } from '../session/sdk-adapter.ts';
import type { ServerFactory } from '../session/server-lifecycle.ts';
import type { AnyStore } from '../store/session-handle.ts';
import type { SessionHandlerOptions } from './options.ts';
import type { SessionOptions } from './session-options.ts';

/** The options of sessions with their defaults applied. */
export interface ResolvedSessionOptions {
  /** `undefined`: as long as the store says. */
  readonly sessionTtlMs: number | undefined;
  /** `undefined`: as long as any other session. */
  readonly newSessionTtlMs: number | undefined;
  readonly platformSessions: PlatformSessions;
  readonly sessionLimits: SessionLimits;
  readonly onSessionCreate: OnSessionCreate<AuthFacts> | undefined;
}

/** The options of sessions, with their names in other libraries. */
export const SESSION_NAMES: OptionNames<SessionOptions<never>> = {
  withoutSession: ['stateless'],
  createStatelessServer: ['statelessServer', 'createModernServer'],
  sessionTtlMs: ['ttlMs', 'ttl', 'sessionTimeout', 'sessionTimeoutMs', 'sessionIdleTimeout'],
  uninitializedTtlMs: ['newSessionTtlMs', 'initializeTimeoutMs'],
  generateSessionId: ['sessionIdGenerator', 'generateId', 'genid'],
  maxSessionsPerPrincipal: ['maxSessionsPerUser', 'sessionLimit'],
  onSessionLimit: [],
  addressOf: ['getAddress', 'ipOf', 'getIp', 'ip'],
  onSessionCreate: ['onCreate', 'onInitialize', 'onsessioninitialized'],
  responses: ['responseMode', 'enableJsonResponse', 'jsonResponse', 'json'],
  sessionIdOf: ['getSessionId', 'sessionId', 'platformSessionId'],
};

/** @throws TypeError or RangeError that names the option. */
export function resolveSessionOptions<AuthInfo, U extends StateSchemas>(
  options: SessionOptions<AuthInfo, U> & { readonly store: AnyStore },
  onError: (error: unknown) => void,
): ResolvedSessionOptions {
  for (const name of ['sessionIdOf', 'addressOf', 'onSessionCreate'] as const) callable(name, options[name]);
  const { store, maxSessionsPerPrincipal: max, addressOf, sessionIdOf } = options;
  const platformSessions = new PlatformSessions(store, sessionIdOf, onError);
  return {
    ...lifetimesOf(givenTtlOf(store), options),
    platformSessions,
    sessionLimits: new SessionLimits({
      store,
      max: max === undefined ? undefined : positive('maxSessionsPerPrincipal', max, 1, 1_000),
      endsOldest: oneOf('onSessionLimit', options.onSessionLimit, ['refuse', 'end-oldest'], 'refuse') === 'end-oldest',
      addressOf,
      platformSessions,
    }),
    onSessionCreate: options.onSessionCreate as OnSessionCreate<AuthFacts> | undefined,
  };
}

/** @throws TypeError if one of the two options is given and the other one is not. */
export function statelessOf<
  Server extends ServerLike,
  AuthInfo extends AuthFacts,
  S extends StateSchemas,
  U extends StateSchemas,
>(options: SessionHandlerOptions<Server, AuthInfo, S, U>): ServerFactory['createStateless'] {
  const { withoutSession, createStatelessServer: create, store, user } = options;
  if (oneOf('withoutSession', withoutSession, ['refuse', 'stateless'], 'refuse') === 'refuse') return undefined;
  if (typeof create !== 'function') {
    throw new TypeError(
      `Option createStatelessServer is ${kindOf(create)}, not a function that makes the server of one request without a session, as withoutSession: 'stateless' needs`,
    );
  }
  return async ({ request, authInfo }, principal) =>
    create({ request, authInfo: authInfo as AuthInfo | undefined, ...userContext(store, principal, user) });
}

/** How long a session lives that is used, and one that is not used yet. */
function lifetimesOf(
  ofStore: number | undefined,
  options: Pick<SessionOptions<never>, 'sessionTtlMs' | 'uninitializedTtlMs'>,
): Pick<ResolvedSessionOptions, 'sessionTtlMs' | 'newSessionTtlMs'> {
  const given = optional('sessionTtlMs', options.sessionTtlMs);
  const sessionTtlMs = given ?? (ofStore === undefined ? 86_400_000 : undefined);
  const uninitializedTtlMs = positive('uninitializedTtlMs', options.uninitializedTtlMs, 120_000);
  const isShorter = uninitializedTtlMs < (sessionTtlMs ?? ofStore ?? 0);
  return { sessionTtlMs, newSessionTtlMs: isShorter ? uninitializedTtlMs : sessionTtlMs };
}
