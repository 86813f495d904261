import { errorLog } from './error-log.ts';
import type { Logger } from './logger.ts';

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

/**
 * The option `onError` that never throws. Without the option, errors go to the logger, each cause
 * once a minute; without a logger, to the console.
 */
export function errorListener(
  onError: ((error: unknown) => void) | undefined,
  logger: Logger | undefined,
): (error: unknown) => void {
  return onError === undefined ? safeCallback('logger', errorLog(logger)) : safeCallback('onError', onError);
}
