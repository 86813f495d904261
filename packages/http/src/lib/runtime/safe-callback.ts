import { SessionError } from '@mcp-session/core';

/** Wraps a callback of the application so that it never throws. */
export function safeCallback<T>(name: string, callback: ((value: T) => void) | undefined): (value: T) => void {
  return (value) => {
    try {
      callback?.(value);
    } catch (thrown) {
      process.emitWarning(`The ${name} of a session handler threw: ${String(thrown)}`, 'SessionHandlerWarning');
    }
  };
}

/** The option `onError` that never throws. Without the option, errors go to the console. */
export function errorListener(onError: ((error: unknown) => void) | undefined): (error: unknown) => void {
  return safeCallback('onError', onError ?? print);
}

function print(error: unknown): void {
  const what = error instanceof SessionError ? `${error.code} (${error.scope})` : 'unexpected error';
  console.error(`@mcp-session/http: ${what}`, error);
}
