import { backgroundListener, type ErrorListener, type ErrorListenerOptions } from '@mcp-session/core/backend';

/**
 * Makes what the errors that no caller waits for are reported to. A worker that the close of its
 * store cuts off is not an error: its lease runs out, and another process settles the task.
 *
 * @throws TypeError that names the option.
 */
export function reporter(options: ErrorListenerOptions): ErrorListener {
  return backgroundListener(options, {
    from: '@mcp-session/tasks',
    owner: 'a task store',
    warning: 'TaskStoreWarning',
  });
}
