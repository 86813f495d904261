import { SessionError } from '../errors.ts';
import { callable, type OptionNames } from '../values/option-checks.ts';
import { errorLog, type ErrorListener } from './error-log.ts';
import { checkLogger, type Logger } from './logger.ts';
import { safeCallback, type CallbackOwner } from './safe-callback.ts';

/** Where errors go that no caller waits for. */
export interface ErrorListenerOptions {
  /**
   * Is called with each of these errors. What it throws becomes a process warning. Default: the
   * errors go to `logger`.
   */
  readonly onError?: (error: unknown) => void;
  /** Gets these errors without `onError`, each cause once a minute. Default: the console. */
  readonly logger?: Logger;
}

/** Names of {@link ErrorListenerOptions}, each with names that are mistaken for it. */
export const errorListenerOptions: OptionNames<ErrorListenerOptions> = {
  onError: ['onerror', 'onBackgroundError'],
  logger: ['log'],
};

/** Who reports errors. */
export interface ErrorReporter extends CallbackOwner {
  /** The package, such as `@mcp-session/core`: each line begins with it. */
  readonly from: string;
}

/**
 * Checks the options and makes what the errors are reported to. It never throws.
 *
 * @throws TypeError that names the option.
 */
export function errorListener({ onError, logger }: ErrorListenerOptions, reporter: ErrorReporter): ErrorListener {
  callable('onError', onError);
  checkLogger(logger);
  if (onError === undefined) return safeCallback('logger', errorLog(reporter.from, logger), reporter);
  const report = safeCallback('onError', onError, reporter);
  return (error) => report(error);
}

/**
 * Like {@link errorListener}, for work in the background: what the close of the store cuts off is
 * not reported.
 *
 * @throws TypeError that names the option.
 */
export function backgroundListener(options: ErrorListenerOptions, reporter: ErrorReporter): ErrorListener {
  const report = errorListener(options, reporter);
  return (error, work) => {
    if (!(error instanceof SessionError && error.code === 'STORE_CLOSED')) report(error, work);
  };
}
