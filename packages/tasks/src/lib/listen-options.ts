import type { Logger } from '@mcp-session/core';
import { callable, checkOptions, errorListenerOptions, positive, type OptionNames } from '@mcp-session/core/backend';
import type { AuthInfo } from '@modelcontextprotocol/server';
import { listenReporter } from './report.ts';

/** Options of `serveTaskNotifications`. */
export interface TaskNotificationOptions {
  /**
   * Returns the principal of a request, from its verified token; `null` for an anonymous one: the
   * same as the handler's and as that of `serveTasks`. If it throws, or returns an empty string, or
   * `null` or `undefined` for a request with `authInfo`, the request gets 500. Required.
   */
  readonly principal: (
    authInfo: AuthInfo | undefined,
    request: Request,
  ) => string | null | undefined | Promise<string | null | undefined>;
  /**
   * How many streams that listen to tasks this handler may have open. One more gets -32603, as from
   * the SDK. Default: `1_024`.
   */
  readonly maxSubscriptions?: number;
  /**
   * The same limit for one principal, beyond which a stream is refused with 429. It does not apply
   * to anonymous requests. Default: `100`.
   */
  readonly maxSubscriptionsPerPrincipal?: number;
  /**
   * Is called with each error that is not the client's: of the store, and of the option
   * `principal`. What it throws becomes a process warning. Default: the errors go to `logger`.
   */
  readonly onError?: (error: unknown) => void;
  /**
   * Gets these errors without `onError`, each cause once a minute, see `createTaskStore`. Default:
   * the console.
   */
  readonly logger?: Logger;
}

/** A handler of the SDK or of `@mcp-session/http`. */
export interface FetchHandler {
  fetch(request: Request, options?: FetchContext): Promise<Response>;
  close(...args: never): Promise<void>;
}

/** What a handler gets with a request. */
export interface FetchContext {
  readonly authInfo?: AuthInfo;
  readonly parsedBody?: unknown;
}

const NAMES: OptionNames<TaskNotificationOptions> = {
  principal: ['user', 'userId', 'getPrincipal'],
  maxSubscriptions: ['maxStreams', 'limit'],
  maxSubscriptionsPerPrincipal: ['maxStreamsPerPrincipal', 'maxSubscriptionsPerUser'],
  ...errorListenerOptions,
};

/** Options with their defaults applied. */
export interface ResolvedListenOptions {
  readonly tell: TaskNotificationOptions['principal'];
  readonly maxSubscriptions: number;
  readonly maxSubscriptionsPerPrincipal: number;
  readonly onError: (error: unknown) => void;
}

/** @throws TypeError or RangeError that names the option. */
export function resolveListenOptions(options: TaskNotificationOptions): ResolvedListenOptions {
  checkOptions(options, NAMES, 'serveTaskNotifications');
  const tell = callable('principal', options.principal);
  if (tell === undefined) throw new TypeError('Option principal is missing; return null for anonymous requests');
  const { maxSubscriptions, maxSubscriptionsPerPrincipal } = options;
  return {
    tell,
    maxSubscriptions: positive('maxSubscriptions', maxSubscriptions, 1_024),
    maxSubscriptionsPerPrincipal: positive('maxSubscriptionsPerPrincipal', maxSubscriptionsPerPrincipal, 100),
    onError: listenReporter(options),
  };
}
