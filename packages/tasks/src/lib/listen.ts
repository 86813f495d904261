import type { TaskStore } from './api.ts';
import { checkHandler, checkTasks } from './checks.ts';
import { type FetchHandler, resolveListenOptions, type TaskNotificationOptions } from './listen-options.ts';
import { TaskListener } from './task-listener.ts';

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
  const listener = new TaskListener(handler, tasks, resolveListenOptions(options));
  return new Proxy(handler, {
    get: (target, name) => {
      if (name === 'fetch') return listener.fetch;
      if (name === 'close') return listener.close;
      if (name === 'endAll' && 'endAll' in target) return listener.endAll;
      return Reflect.get(target, name) as unknown;
    },
  });
}
