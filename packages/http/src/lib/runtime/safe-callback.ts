import { SessionError } from '@mcp-session/core';

/** A listener of the options that never throws. */
export function safeCallback<T>(name: string, listener: ((value: T) => void) | undefined): (value: T) => void {
  return (value) => {
    try {
      listener?.(value);
    } catch (thrown) {
      process.emitWarning(`The ${name} of a session handler threw: ${String(thrown)}`, 'SessionHandlerWarning');
    }
  };
}

/** The option `onError`, or what stands in for it: the console, so that no fault goes unseen. */
export function errorListener(onError: ((error: unknown) => void) | undefined): (error: unknown) => void {
  return safeCallback('onError', onError ?? print);
}

function print(error: unknown): void {
  const what = error instanceof SessionError ? `${error.code} (${error.scope})` : 'unexpected error';
  console.error(`@mcp-session/http: ${what}`, error);
}
