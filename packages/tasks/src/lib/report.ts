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

/**
 * Makes what the errors of a handler are reported to. Unlike for work in the background, a closed
 * store is an error: a client gets 503 for it.
 *
 * @throws TypeError that names the option.
 */
export function listenReporter(options: ErrorListenerOptions): ErrorListener {
  return errorListener(options, { from: FROM, owner: 'serveTaskNotifications', warning: 'TaskNotificationsWarning' });
}

/** Whether the store was closed in this process. */
export function isClosedStore(error: unknown): boolean {
  return error instanceof SessionError && error.code === 'STORE_CLOSED';
}
