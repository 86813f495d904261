import { SessionError } from '@mcp-session/core';
import {
  backgroundListener,
  errorListener,
  type ErrorListener,
  type ErrorListenerOptions,
} from '@mcp-session/core/backend';

const FROM = '@mcp-session/tasks';

/**
 * Makes what the errors that no caller waits for are reported to. A worker that the close of its
 * store cuts off is not an error: its lease runs out, and another process settles the task.
 *
 * @throws TypeError that names the option.
 */
export function reporter(options: ErrorListenerOptions): ErrorListener {
  return backgroundListener(options, {
    from: FROM,
    owner: 'a task store',
    warning: 'TaskStoreWarning',
  });
}

const toConsole = reporter({});

/**
 * Makes what the errors of a handler are reported to. Unlike for work in the background, a closed
 * store is an error: a client gets 503 for it.
 *
 * @throws TypeError that names the option.
 */
export function listenReporter(options: ErrorListenerOptions): ErrorListener {
  return errorListener(options, { from: FROM, owner: 'serveTaskNotifications', warning: 'TaskNotificationsWarning' });
}

const reportOf = new WeakMap<object, ErrorListener>();

/** Reports what fails for the clients of a task store where the store reports its own errors. */
export function shareReports(tasks: object, report: ErrorListener): void {
  reportOf.set(tasks, report);
}

/** What {@link shareReports} was given; for a task store of another make, the console. */
export function reportsOf(tasks: object): ErrorListener {
  return reportOf.get(tasks) ?? toConsole;
}

/** Whether the store was closed in this process. */
export function isClosedStore(error: unknown): boolean {
  return error instanceof SessionError && error.code === 'STORE_CLOSED';
}
