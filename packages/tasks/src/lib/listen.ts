import type { Logger } from '@mcp-session/core';
import { callable, checkOptions, errorListenerOptions, positive, type OptionNames } from '@mcp-session/core/backend';
import type { AuthInfo } from '@modelcontextprotocol/server';
import type { TaskStore } from './api.ts';
import { checkHandler, checkTasks } from './checks.ts';
import { listenReporter } from './report.ts';
import { TaskListener } from './task-listener.ts';

/** Options of `serveTaskNotifications`. */
export interface TaskNotificationOptions {
  /**
   * Returns the principal of a request, from its verified token; `null` for an anonymous one: the
   * same as the handler's and as that of `serveTasks`. If it throws, or returns an empty string or
   * `undefined` for a request with `authInfo`, the request gets 500. Required.
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

/**
 * Adds `notifications/tasks` to a handler of revision 2026-07-28: a `subscriptions/listen` that
 * names `taskIds` gets the present state of each task and its changes, whichever node it runs on.
 * Give the task store a `bus` for that. Everything else goes to the handler as it is.
 *
 * Only tasks of the request's principal are acknowledged. All others are left out, whether they are
 * unknown, expired or foreign. A request that does not declare the extension gets -32021; `taskIds`
 * that is no array of at most 100 strings gets -32602. If the store fails at the first read of a
 * task, the request gets 503 with `Retry-After`.
 *
 * A stream with tasks ends when the token that opened it expires, at `authInfo.expiresAt`. `endAll`
 * of the returned handler ends those of its principal: on all nodes if the task store has a `bus`,
 * otherwise on this one.
 *
 * @returns The handler, with another `fetch`, `close` and `endAll`. The `fetch` rejects only if the
 * handler's does.
 * @throws TypeError or RangeError for an option; TypeError if the first two are no handler and no
 * task store.
 */
export function serveTaskNotifications<Handler extends FetchHandler>(
  handler: Handler,
  tasks: TaskStore,
  options: TaskNotificationOptions,
): Handler {
  checkHandler(handler, 'serveTaskNotifications');
  checkTasks(tasks, 'serveTaskNotifications');
  checkOptions(options, NAMES, 'serveTaskNotifications');
  const tell = callable('principal', options.principal);
  if (tell === undefined) throw new TypeError('Option principal is missing; return null for anonymous requests');
  const { maxSubscriptions, maxSubscriptionsPerPrincipal } = options;
  const listener = new TaskListener(handler, tasks, {
    tell,
    maxSubscriptions: positive('maxSubscriptions', maxSubscriptions, 1_024),
    maxSubscriptionsPerPrincipal: positive('maxSubscriptionsPerPrincipal', maxSubscriptionsPerPrincipal, 100),
    onError: listenReporter(options),
  });
  return new Proxy(handler, {
    get: (target, name) => {
      if (name === 'fetch') return listener.fetch;
      if (name === 'close') return listener.close;
      if (name === 'endAll' && 'endAll' in target) return listener.endAll;
      return Reflect.get(target, name) as unknown;
    },
  });
}
