import { SessionError } from '@mcp-session/core';

/**
 * Reports the errors that no caller waits for, and never throws. A worker that the close of its
 * store cuts off is not an error: its lease runs out, and another process settles the task.
 */
export function reporter(onError: ((error: unknown) => void) | undefined): (error: unknown) => void {
  return (error) => {
    if (error instanceof SessionError && error.code === 'STORE_CLOSED') return;
    try {
      if (onError === undefined) console.error('@mcp-session/tasks: unexpected error', error);
      else onError(error);
    } catch (thrown) {
      process.emitWarning(`The onError of a task store threw: ${String(thrown)}`, 'TaskStoreWarning');
    }
  };
}
