import { errorListener as listener, type ErrorListenerOptions } from '@mcp-session/core/backend';
import { safeCallback as safe } from '@mcp-session/core/transport';

const REPORTER = { from: '@mcp-session/http', owner: 'a session handler', warning: 'SessionHandlerWarning' };

/** Wraps a callback of the application so that it never throws. */
export function safeCallback<T>(name: string, callback: ((value: T) => void) | undefined): (value: T) => void {
  return safe(name, callback, REPORTER);
}

/**
 * Checks the options `onError` and `logger`, and makes what errors are reported to. It never
 * throws.
 *
 * @throws TypeError that names the option.
 */
export function errorListener(options: ErrorListenerOptions): (error: unknown) => void {
  return listener(options, REPORTER);
}
